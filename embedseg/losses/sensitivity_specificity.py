"""Sensitivity-specificity loss: squared errors of a class's pixels and of all others, weighed."""

from torch import Tensor

from embedseg.losses._module import LossModule
from embedseg.losses._pixels import ClassWeight, Reduction
from embedseg.losses._regions import (
    Absent,
    check_smooth,
    one_hot,
    probabilities,
    reduce_classes,
    region_pixels,
)


def sensitivity_specificity_loss(  # noqa: PLR0913 (one signature for all losses)
    logits: Tensor,
    target: Tensor,
    *,
    ignore_index: int = -1,
    weight: ClassWeight = None,
    reduction: Reduction = "mean",
    per_image: bool = False,
    ratio: float = 0.05,
    absent: Absent = "keep",
    smooth: float = 1e-5,
) -> Tensor:
    """Return the sensitivity-specificity loss.

    Formula: mean_l t sum (r-p)^2 r / (sum r + s) + (1-t) sum (r-p)^2 (1-r) / (sum (1-r) + s)
    Paper: Brosch et al. 2015, MICCAI
    When: tiny foregrounds; set t to their share of the pixels, or higher to find more.

    `ratio` t in [0, 1] weighs the class's own pixels: a miss and a false alarm cost the same when
    the class covers the share t, and below that a miss costs more. NiftyNet sums over the classes
    (`reduction="sum"`). The first part of an absent class is 0. Classes, pooling, weights as in
    `dice_loss`.
    """
    if not 0 <= ratio <= 1:
        raise ValueError(f"ratio must lie in [0, 1], got {ratio}; the published value is 0.05")
    check_smooth(smooth)
    pixels = region_pixels(logits, target, ignore_index, weight)
    prob = probabilities(pixels)
    truth = one_hot(pixels).to(prob.dtype)
    others = pixels.valid[:, None].to(prob.dtype) - truth
    axes = (2,) if per_image else (0, 2)
    wrong = (prob - truth) ** 2
    missed, false = (wrong * truth).sum(axes), (wrong * others).sum(axes)
    size, rest = truth.sum(axes), others.sum(axes)
    terms = ratio * missed / (size + smooth) + (1 - ratio) * false / (rest + smooth)
    return reduce_classes(terms, size, weight, reduction, pixels, absent)


class SensitivitySpecificityLoss(LossModule):
    """`sensitivity_specificity_loss` as a module."""

    function = staticmethod(sensitivity_specificity_loss)
