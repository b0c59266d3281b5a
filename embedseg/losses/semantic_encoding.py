"""Semantic encoding loss: say which classes the picture shows at all."""

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 (the usual name)

from embedseg.losses._module import LossModule
from embedseg.losses._pixels import (
    ClassWeight,
    Reduction,
    check_reduction,
    class_weights,
    promote,
    safe,
)


def presence_target(target: Tensor, classes: int, *, ignore_index: int = -1) -> Tensor:
    """Return (B, classes) float32: 1 where the picture has a pixel of the class.

    `target` (B, *S) is of integers; what lies outside 0..classes-1 is ignored, as in the released
    code. `classes = 1` asks for class 1, the foreground.
    """
    flat = target.flatten(1)
    first = 1 if classes == 1 else 0
    index = torch.arange(first, first + classes, device=target.device)
    valid = flat != ignore_index
    found = [((flat == value) & valid).any(1) for value in index]
    return torch.stack(found, 1).float()


def semantic_encoding_loss(
    presence: Tensor,
    target: Tensor,
    *,
    ignore_index: int = -1,
    weight: ClassWeight = None,
    reduction: Reduction = "mean",
) -> Tensor:
    """Return EncNet's loss of (B, K) presence logits against a (B, *S) target.

    Formula: mean_{b,l} BCE(sigmoid(z_bl), [class l occurs in picture b])
    Paper: arXiv:1803.08904
    When: several classes that occur together, small ones among them; factor 0.2. Useless with one.

    `weight` has K numbers and gives the weighted mean over classes. "none" gives (B, K).
    """
    if presence.ndim != 2 or len(presence) != len(target):
        raise ValueError(
            f"presence has shape {tuple(presence.shape)}; give ({len(target)}, K), one row per "
            "picture of target"
        )
    logits = promote(presence)
    truth = presence_target(target, logits.shape[1], ignore_index=ignore_index).to(logits.dtype)
    mass = class_weights(weight, logits.shape[1], logits)
    values = F.binary_cross_entropy_with_logits(logits, truth, reduction="none") * mass
    if reduction == "mean":
        return values.sum() / safe(mass.sum() * len(values))
    check_reduction(reduction)
    return values.sum() if reduction == "sum" else values


class SemanticEncodingLoss(LossModule):
    """`semantic_encoding_loss` as a module."""

    function = staticmethod(semantic_encoding_loss)
