"""Exponential-logarithmic loss: powers of the logarithms of Dice and of the true probability."""

import torch
from torch import Tensor

from embedseg.losses._module import LossModule
from embedseg.losses._pixels import ClassWeight, Reduction, flatten, reduce_pixels, safe
from embedseg.losses._regions import TINY, reduce_classes, region_pixels, region_sums
from embedseg.losses.class_frequency import Counts, counts_of
from embedseg.losses.cross_entropy import pixel_cross_entropy, pixel_mass


def exponential_logarithmic_loss(  # noqa: PLR0913 (one signature for all losses)
    logits: Tensor,
    target: Tensor,
    *,
    ignore_index: int = -1,
    weight: ClassWeight = None,
    reduction: Reduction = "mean",
    per_image: bool = False,
    counts: Counts = None,
    dice_factor: float = 0.8,
    cross_factor: float = 0.2,
    gamma: float = 0.3,
    smooth: float = 1.0,
) -> Tensor:
    """Return the exponential-logarithmic loss.

    Formula: 0.8 mean_l (-ln D_l)^g + 0.2 mean_n w_y (-ln p_y)^g, w_l = sqrt(n / n_l), g = 0.3
    Paper: arXiv:1809.00076
    When: very unequal sizes and objects already roughly found; g < 1 keeps pushing near D = 1.

    D_l = (2 sum r p + s) / (sum r + sum p + s). `counts` n_l are the pixels of each class in the
    training set, or in this batch if not given, with `per_image` too. w multiplies and is
    not normalised, as published; `weight` weighs the mean over classes of the first part and
    multiplies w in the second. Only `reduction="mean"`: the two parts have no common terms. Binary
    logits count as foreground in the first part, as in `dice_loss`.
    """
    if reduction != "mean":
        raise ValueError(f"reduction is {reduction!r}; this sum of two means has 'mean' alone")
    if gamma <= 0 or smooth <= 0:
        raise ValueError(f"gamma and smooth must be > 0, got {gamma} and {smooth}")
    regions = region_pixels(logits, target, ignore_index, weight)
    overlap, predicted, truth = region_sums(regions, per_image)
    score = (2 * overlap + smooth) / (predicted + truth + smooth)
    terms = (-score.log()).clamp(min=TINY) ** gamma
    dice = reduce_classes(terms, truth, weight, reduction, regions)

    pixels = flatten(logits, target, ignore_index)
    entropy = pixel_cross_entropy(pixels).clamp(min=TINY) ** gamma
    mass = pixel_mass(pixels, weight)
    rarity = _rarity(counts_of(pixels, counts))
    cross = reduce_pixels(
        entropy * rarity[pixels.target] * mass,
        pixels.valid.to(mass.dtype),
        reduction,
        per_image,
        target.shape,
    )
    return dice_factor * dice + cross_factor * cross


def _rarity(counts: Tensor) -> Tensor:
    """Return sqrt(n / n_l) for each class, 0 where n_l = 0."""
    return torch.where(counts > 0, (counts.sum() / safe(counts)).sqrt(), 0)


class ExponentialLogarithmicLoss(LossModule):
    """`exponential_logarithmic_loss` as a module."""

    function = staticmethod(exponential_logarithmic_loss)
