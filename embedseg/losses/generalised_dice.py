"""Generalised Dice loss: one Dice over all classes, each weighted by its inverse squared size."""

from typing import Literal

import torch
from torch import Tensor

from embedseg.losses._module import LossModule
from embedseg.losses._pixels import ClassWeight, Reduction, class_weights, flatten, safe
from embedseg.losses._regions import reduce_images, region_sums

Weighting = Literal["square", "simple", "uniform"]
AbsentRule = Literal["largest", "epsilon", "zero"]
TINY = 1e-8  # pixels of the heaviest class; makes nothing against nothing a perfect score
EPSILON = 1e-10  # pixels; the authors of the boundary loss add it to a class's size


def generalised_dice_loss(
    logits: Tensor,
    target: Tensor,
    *,
    ignore_index: int = -1,
    weight: ClassWeight = None,
    reduction: Reduction = "mean",
    per_image: bool = False,
    weighting: Weighting = "square",
    absent: AbsentRule = "largest",
) -> Tensor:
    """Return the generalised Dice loss.

    Formula: 1 - 2 sum_l w_l sum r p / sum_l w_l (sum r + sum p), w_l = 1 / (sum r)^2
    Paper: arXiv:1707.03237
    When: very unequal classes, thin lanes; the region term of the boundary loss.

    `weighting`: w_l = 1 / size^2 ("square"), 1 / size ("simple") or 1 ("uniform").
    `absent` names the weight of a class without a pixel: "largest" is the largest of the present
    classes (NiftyNet, MONAI); "epsilon" adds 1e-10 to every size (the boundary loss's code: an
    absent class then outweighs all others); "zero" leaves it out.
    A binary logit counts as two classes, background and foreground, as published. `weight`
    multiplies w. The sums pool the batch; published code uses `per_image=True`. "none" gives a
    number, or one per image.
    """
    pixels = flatten(logits, target, ignore_index, two=True)
    overlap, predicted, truth = region_sums(pixels, per_image)
    sizes = _size_weights(truth, weighting, absent)
    sizes = sizes * class_weights(weight, sizes.shape[-1], sizes)
    top = 2 * (sizes * overlap).sum(-1) + TINY
    bottom = (sizes * (predicted + truth)).sum(-1) + TINY
    return reduce_images(1 - top / bottom, reduction, pixels)


def _size_weights(truth: Tensor, weighting: Weighting, absent: AbsentRule) -> Tensor:
    """Return w_l of (.., C) class sizes, divided by the largest, which changes no ratio."""
    powers = {"square": 2, "simple": 1, "uniform": 0}
    if weighting not in powers:
        raise ValueError(f"weighting is {weighting!r}; choose from: {', '.join(powers)}")
    if absent not in ("largest", "epsilon", "zero"):
        raise ValueError(f"absent is {absent!r}; choose from: largest, epsilon, zero")
    if absent == "epsilon":
        weights = (truth + EPSILON) ** -powers[weighting]
    else:
        weights = torch.where(truth > 0, safe(truth) ** -powers[weighting], 0)
    largest = weights.amax(-1, keepdim=True)
    if absent == "largest":
        weights = torch.where(truth > 0, weights, largest)
    return weights / safe(largest)


class GeneralisedDiceLoss(LossModule):
    """`generalised_dice_loss` as a module."""

    function = staticmethod(generalised_dice_loss)
