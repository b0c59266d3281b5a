"""Soft Jaccard loss: one minus the soft intersection over the soft union."""

from torch import Tensor

from embedseg.losses._module import LossModule
from embedseg.losses._pixels import ClassWeight, Reduction
from embedseg.losses._regions import (
    Absent,
    check_smooth,
    reduce_classes,
    region_pixels,
    region_sums,
)


def jaccard_loss(
    logits: Tensor,
    target: Tensor,
    *,
    ignore_index: int = -1,
    weight: ClassWeight = None,
    reduction: Reduction = "mean",
    per_image: bool = False,
    absent: Absent = "keep",
    smooth: float = 1e-6,
) -> Tensor:
    """Return the soft Jaccard (IoU) loss.

    Formula: mean_l 1 - (sum r p + s) / (sum r + sum p - sum r p + s)
    Paper: Rahman & Wang 2016
    When: IoU is the score; like Dice, with a steeper penalty for bad overlaps.

    Classes, pooling, weights and absent classes as in `dice_loss`.
    """
    check_smooth(smooth)
    pixels = region_pixels(logits, target, ignore_index, weight)
    overlap, predicted, truth = region_sums(pixels, per_image)
    score = (overlap + smooth) / (predicted + truth - overlap + smooth)
    return reduce_classes(1 - score, truth, weight, reduction, pixels, absent)


class JaccardLoss(LossModule):
    """`jaccard_loss` as a module."""

    function = staticmethod(jaccard_loss)
