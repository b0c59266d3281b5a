r"""Spatial embeddings with learned bandwidth: Neven, De Brabandere, Proesmans, Van Gool, CVPR 2019.

arXiv:1906.11109. A pixel i at position x_i points to a place e_i = x_i + o_i, the centre of its
instance k is C_k, the mean of e over the instance's pixels S_k, and its bandwidth sigma_k the mean
over S_k. A pixel belongs to the instance with the probability

    phi_k(e_i) = exp(-|e_i - C_k|^2 / (2 sigma_k^2)),     each axis with a bandwidth of its own

    L_instance   = 1/C sum_k  Lovasz hinge of (2 phi_k - 1) against S_k, over all pixels
    L_smoothness = 1/C sum_k  1/|S_k| sum_i (r_i - r_k)^2
    L_seed       = 1/N (sum over background s_i^2 + w sum over instances (s_i - phi_k(e_i))^2)
    L            = instance L_instance + smoothness L_smoothness + seed L_seed         (1, 10, 1)

As in the authors' released code the network predicts r_i with 1 / (2 sigma_i^2) = exp(10 r_i), the
smoothness is that of r, foreground counts w = 10 times in the seed map, and no gradient of it
reaches phi.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from embedseg.losses.lovasz import lovasz_hinge_loss

SCALE = 10.0  # log precision per unit of r, and
FOREGROUND = 10.0  # weight of foreground in the seed map: both of the authors' code
NEGLIGIBLE = (
    1e-4  # background of a smaller phi is left out of the hinge: L changes less than 2x this
)


class SpatialTerms(NamedTuple):
    """The loss and its three unweighted terms."""

    total: Tensor
    instance: Tensor
    smoothness: Tensor
    seed: Tensor


def spatial_loss(
    embedding: Tensor,
    log_precision: Tensor,
    seed: Tensor,
    labels: Tensor,
    *,
    instance: float = 1.0,
    smoothness: float = 10.0,
    seed_weight: float = 1.0,
) -> SpatialTerms:
    """Return the learned-bandwidth loss of Neven et al.

    Formula: Lovasz hinge of 2 exp(-|e - C|^2 / (2 sigma^2)) - 1, smoothness of sigma, seed map
    Paper: arXiv:1906.11109
    When: objects that are compact in the image and of very different sizes.

    `embedding` (B, E, *S) holds e, `log_precision` (B, E, *S) ln(1 / (2 sigma^2)) along each axis,
    `seed` (B, 1, *S) logits of the seed map, `labels` (B, *S): 0 background, below 0 ignored.
    Each term is the mean over the images of the batch; an image without instance has the seed term
    alone.
    """
    if log_precision.shape != embedding.shape:
        raise ValueError(
            f"log_precision {tuple(log_precision.shape)} must have the shape of the embedding "
            f"{tuple(embedding.shape)}: one bandwidth along each axis"
        )
    parts = [
        _image(e.flatten(1).float(), p.flatten(1).float(), s.flatten().float(), ids.flatten())
        for e, p, s, ids in zip(embedding, log_precision, seed, labels, strict=True)
    ]
    overlap, smooth, seeds = (torch.stack(terms).mean() for terms in zip(*parts, strict=True))
    total = instance * overlap + smoothness * smooth + seed_weight * seeds
    return SpatialTerms(total, overlap, smooth, seeds)


def _image(e: Tensor, log_p: Tensor, seed: Tensor, ids: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the three terms of one image: e, log_p (E, N), seed logits and ids (N,)."""
    known = ids >= 0
    e, log_p, ids = e[:, known], log_p[:, known], ids[known]
    score = torch.sigmoid(seed[known])
    zero = (e.sum() + log_p.sum()) * 0
    overlap, smooth = [], []
    target = torch.zeros_like(score)
    for number in torch.unique(ids[ids > 0]).tolist():
        inside = ids == number
        centre, mean = e[:, inside].mean(1, keepdim=True), log_p[:, inside].mean(1, keepdim=True)
        smooth.append(((log_p[:, inside] - mean) / SCALE).square().mean())
        chosen, phi = _closeness(e, centre, mean.exp(), inside)
        target[chosen] = torch.where(inside[chosen], phi.detach(), target[chosen])
        overlap.append(lovasz_hinge_loss((2 * phi - 1)[None, None], inside[chosen].long()[None]))
    weight = torch.where(ids > 0, FOREGROUND, 1.0)
    seeds = (weight * (score - target).square()).sum() / max(len(ids), 1)
    if not overlap:
        return zero, zero, seeds
    return torch.stack(overlap).mean(), torch.stack(smooth).mean(), seeds


def _closeness(
    e: Tensor, centre: Tensor, precision: Tensor, inside: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the pixels that matter for an instance, its own and those near it, and their phi."""
    with torch.no_grad():
        away = (precision * (e - centre).square()).sum(0)
        chosen = (inside | (away < -math.log(NEGLIGIBLE))).nonzero()[:, 0]
    return chosen, torch.exp(-(precision * (e[:, chosen] - centre).square()).sum(0))
