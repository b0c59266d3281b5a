r"""The seed head: how far a pixel's embedding is from its instance's mean, learned by regression.

The network predicts for each foreground pixel i of instance c the closeness

    t_i = exp(-|x_i - mu_c|^2 / (2 delta_v^2))          1 at the mean, 0.61 at delta_v

of its own embedding to the instance's mean. Where it is small (on borders between instances, in
thin places) the embedding is not to be trusted, and the pixel should not found a cluster. It is the
idea of the seed map of Neven et al. (arXiv:1906.11109) with the fixed bandwidth delta_v.
"""

import torch
from torch import Tensor


def seed_loss(seed: Tensor, embedding: Tensor, labels: Tensor, *, delta_v: float = 0.5) -> Tensor:
    """Return the mean of (sigmoid(seed_i) - t_i)^2 over the pixels of instances.

    `seed` (B, 1, *S) logits, `embedding` (B, E, *S), `labels` (B, *S). The target t is a constant:
    no gradient reaches the embedding. The value is the mean over images that have an instance of
    the mean over instances of the mean over pixels, so that small instances count; without any it
    is 0, attached to the graph.
    """
    if delta_v <= 0:
        raise ValueError(f"delta_v must be > 0, got {delta_v}; it is the loss's pull margin")
    values = []
    for logit, vectors, ids in zip(seed.float(), embedding.detach().float(), labels, strict=True):
        inside = ids > 0
        _, index, counts = torch.unique(ids[inside], return_inverse=True, return_counts=True)
        if not len(counts):
            continue
        x = vectors[:, inside]
        sizes = counts.to(x.dtype)
        means = x.new_zeros(len(x), len(counts)).index_add_(1, index, x) / sizes
        squared = (x - means[:, index]).square().sum(0)
        error = (torch.sigmoid(logit[0][inside]) - torch.exp(-squared / (2 * delta_v**2))).square()
        values.append((error / (sizes[index] * len(counts))).sum())
    return torch.stack(values).mean() if values else seed.sum() * 0
