"""Class weights from class frequencies, and the cross-entropies that use them."""

from collections.abc import Sequence

import torch
from torch import Tensor

from embedseg.losses._module import LossModule
from embedseg.losses._pixels import (
    ClassWeight,
    Pixels,
    Reduction,
    class_weights,
    flatten,
    reduce_pixels,
    safe,
)
from embedseg.losses.cross_entropy import pixel_cross_entropy

Counts = Tensor | Sequence[float] | None


def class_counts(pixels: Pixels) -> Tensor:
    """Return the number of valid pixels of each class, (K,) or (2,) for K = 1."""
    classes = max(pixels.logits.shape[1], 2)
    counted = torch.where(pixels.valid, pixels.target, classes)
    counts = torch.bincount(counted.flatten(), minlength=classes + 1)[:classes]
    return counts.to(pixels.logits.dtype)


def balanced_weights(counts: Tensor) -> Tensor:
    """Return w_l = n / (C n_l) for the C classes with n_l > 0 of n pixels; 0 for the others."""
    present = counts > 0
    share = counts.sum() / present.sum().clamp(min=1)
    return torch.where(present, share / safe(counts), 0)


def bounded_inverse_weights(counts: Tensor, bound: float = 1.02) -> Tensor:
    """Return w_l = 1 / ln(bound + n_l / n): between 1.42 and 50.5 for the published 1.02."""
    if bound <= 1:
        raise ValueError(f"bound must be > 1, got {bound}; the published value is 1.02")
    return 1 / torch.log(bound + counts / safe(counts.sum()))


def balanced_cross_entropy_loss(
    logits: Tensor,
    target: Tensor,
    *,
    ignore_index: int = -1,
    weight: ClassWeight = None,
    reduction: Reduction = "mean",
    per_image: bool = False,
    counts: Counts = None,
) -> Tensor:
    """Return the cross-entropy whose classes weigh inversely to their frequency.

    Formula: sum_n w_y CE / sum_n w_y, w_l = n / (C n_l)
    Paper: King & Zeng 2001; arXiv:1504.06375 (HED) for two classes
    When: a class is rare and plain cross-entropy ignores it; expect more false positives.

    `counts` are the pixels of each class in the training set, or the classes' shares of them.
    Without them those of this batch stand in, with `per_image` too: a picture is a poorer sample of
    the training set. There the pooled loss is the mean over the present classes of the class's mean
    cross-entropy.
    `weight` multiplies w. Otherwise as `cross_entropy_loss`.
    """
    pixels = flatten(logits, target, ignore_index)
    weights = balanced_weights(counts_of(pixels, counts))
    return _weighted(pixels, weights, weight, reduction, per_image, target)


def bounded_cross_entropy_loss(
    logits: Tensor,
    target: Tensor,
    *,
    ignore_index: int = -1,
    weight: ClassWeight = None,
    reduction: Reduction = "mean",
    per_image: bool = False,
    counts: Counts = None,
    bound: float = 1.02,
) -> Tensor:
    """Return the cross-entropy with ENet's bounded inverse class weights.

    Formula: sum_n w_y CE / sum_n w_y, w_l = 1 / ln(c + n_l / n), c = 1.02
    Paper: arXiv:1606.02147 (ENet); LaneNet arXiv:1802.05591
    When: lanes: a milder balance than the inverse frequency, at most 1 / ln c.

    `counts` and `weight` as in `balanced_cross_entropy_loss`; `bound` is c > 1.
    """
    pixels = flatten(logits, target, ignore_index)
    weights = bounded_inverse_weights(counts_of(pixels, counts), bound)
    return _weighted(pixels, weights, weight, reduction, per_image, target)


def counts_of(pixels: Pixels, counts: Counts) -> Tensor:
    """Return the given counts of the classes, or those of this batch."""
    if counts is None:
        return class_counts(pixels)
    return class_weights(counts, max(pixels.logits.shape[1], 2), pixels.logits, "counts")


def _weighted(
    pixels: Pixels,
    frequency: Tensor,
    weight: ClassWeight,
    reduction: Reduction,
    per_image: bool,
    target: Tensor,
) -> Tensor:
    values = frequency * class_weights(weight, len(frequency), frequency)
    mass = values[pixels.target] * pixels.valid
    return reduce_pixels(pixel_cross_entropy(pixels), mass, reduction, per_image, target.shape)


class BalancedCrossEntropyLoss(LossModule):
    """`balanced_cross_entropy_loss` as a module."""

    function = staticmethod(balanced_cross_entropy_loss)


class BoundedCrossEntropyLoss(LossModule):
    """`bounded_cross_entropy_loss` as a module."""

    function = staticmethod(bounded_cross_entropy_loss)
