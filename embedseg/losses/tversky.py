"""Tversky loss, Dice with unequal prices for the two kinds of error, and its focal form."""

from typing import Literal

from torch import Tensor

from embedseg.losses._module import LossModule
from embedseg.losses._pixels import ClassWeight, Reduction
from embedseg.losses._regions import (
    TINY,
    Absent,
    Regions,
    check_smooth,
    reduce_classes,
    region_pixels,
    region_sums,
)


def tversky_loss(  # noqa: PLR0913 (one signature for all losses)
    logits: Tensor,
    target: Tensor,
    *,
    ignore_index: int = -1,
    weight: ClassWeight = None,
    reduction: Reduction = "mean",
    per_image: bool = False,
    alpha: float = 0.3,
    beta: float = 0.7,
    absent: Absent = "keep",
    smooth: float = 1e-6,
) -> Tensor:
    """Return the Tversky loss.

    Formula: mean_l 1 - (TP + s) / (TP + a FP + b FN + s)
    Paper: arXiv:1706.05721
    When: misses cost more than false alarms: b > a raises recall.

    TP = sum r p, FP = sum (1 - r) p, FN = sum r (1 - p). `alpha` is the price of a false positive,
    `beta` of a false negative; 0.5 and 0.5 give Dice, 1 and 1 Jaccard. Classes, pooling, weights
    and absent classes as in `dice_loss`.
    """
    pixels = region_pixels(logits, target, ignore_index, weight)
    sums = region_sums(pixels, per_image)
    terms = 1 - _index(sums, alpha, beta, smooth)
    return reduce_classes(terms, sums.truth, weight, reduction, pixels, absent)


def focal_tversky_loss(  # noqa: PLR0913 (one signature for all losses)
    logits: Tensor,
    target: Tensor,
    *,
    ignore_index: int = -1,
    weight: ClassWeight = None,
    reduction: Reduction = "mean",
    per_image: bool = False,
    alpha: float = 0.3,
    beta: float = 0.7,
    gamma: float = 0.75,
    focus: Literal["class", "mean"] = "class",
    absent: Absent = "keep",
    smooth: float = 1e-6,
) -> Tensor:
    """Return the focal Tversky loss.

    Formula: mean_l (1 - T_l)^g, T_l the Tversky index, g = 3/4
    Paper: arXiv:1810.07842 (its gamma is 1 / g)
    When: as Tversky, with more weight on classes that overlap badly.

    `focus="mean"` raises the mean over the classes (of each image with `per_image`) to the power g
    instead, as segmentation-models-pytorch does; it has no "none" and "sum". Otherwise as
    `tversky_loss`.
    """
    if gamma <= 0:
        raise ValueError(f"gamma must be > 0, got {gamma}; the published value is 0.75")
    if focus not in ("class", "mean") or (focus == "mean" and reduction != "mean"):
        raise ValueError(
            f"focus is {focus!r} with reduction {reduction!r}; choose class, or mean with mean"
        )
    pixels = region_pixels(logits, target, ignore_index, weight)
    sums = region_sums(pixels, per_image)
    terms = (1 - _index(sums, alpha, beta, smooth)).clamp(min=TINY)
    if focus == "mean":
        return reduce_classes(terms, sums.truth, weight, reduction, pixels, absent, gamma)
    return reduce_classes(terms**gamma, sums.truth, weight, reduction, pixels, absent)


def _index(sums: Regions, alpha: float, beta: float, smooth: float) -> Tensor:
    """Return the Tversky index of each class."""
    if alpha < 0 or beta < 0:
        raise ValueError(f"alpha and beta must be >= 0, got {alpha} and {beta}")
    check_smooth(smooth)
    overlap, predicted, truth = sums
    errors = alpha * (predicted - overlap) + beta * (truth - overlap)
    return (overlap + smooth) / (overlap + errors + smooth)


class TverskyLoss(LossModule):
    """`tversky_loss` as a module."""

    function = staticmethod(tversky_loss)


class FocalTverskyLoss(LossModule):
    """`focal_tversky_loss` as a module."""

    function = staticmethod(focal_tversky_loss)
