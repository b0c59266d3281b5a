"""Dice loss: one minus twice the overlap over the two areas, plain or squared."""

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


def dice_loss(  # noqa: PLR0913 (one signature for all losses)
    logits: Tensor,
    target: Tensor,
    *,
    ignore_index: int = -1,
    weight: ClassWeight = None,
    reduction: Reduction = "mean",
    per_image: bool = False,
    squared: bool = False,
    absent: Absent = "keep",
    smooth: float = 1e-6,
) -> Tensor:
    """Return the soft Dice loss of (B, K, *S) logits and a (B, *S) target.

    Formula: mean_l 1 - (2 sum r p + s) / (sum r + sum p + s); squared: sum p^2 for sum p
    Paper: arXiv:1606.04797 (V-Net; the squared form)
    When: small foregrounds; beside cross-entropy, which gives the steadier gradient.

    The mean runs over the classes, background included (`weight=[0, 1, ...]` leaves it out); for
    binary logits over the foreground alone, unless `weight` gives two numbers. The sums pool the
    batch, or with `per_image` each image. A class without a pixel costs 1 where it is predicted
    at all and 0 where it is not; `absent="skip"` leaves it out. "none" gives (C,) or (B, C).
    """
    check_smooth(smooth)
    pixels = region_pixels(logits, target, ignore_index, weight)
    sums = region_sums(pixels, per_image, squared=squared)
    score = (2 * sums.overlap + smooth) / (sums.predicted + sums.truth + smooth)
    return reduce_classes(1 - score, sums.truth, weight, reduction, pixels, absent)


class DiceLoss(LossModule):
    """`dice_loss` as a module."""

    function = staticmethod(dice_loss)
