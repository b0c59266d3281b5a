"""What region losses share: overlap, prediction and truth summed per class, and the class mean."""

import math
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from embedseg.losses._pixels import (
    ClassWeight,
    Pixels,
    Reduction,
    check_reduction,
    class_weights,
    flatten,
    safe,
)

Absent = Literal["keep", "skip"]
TINY = 1e-12  # floor under a broken exponent: keeps the gradient finite


class Regions(NamedTuple):
    """Sums over valid pixels, each (C,) pooled over the batch or (B, C) per image."""

    overlap: Tensor
    """sum r p: soft true positives."""
    predicted: Tensor
    """sum p (or sum p^2)."""
    truth: Tensor
    """sum r: pixels of the class."""


def probabilities(pixels: Pixels) -> Tensor:
    """Return (B, K, N) probabilities: sigmoid of one logit, softmax of several."""
    return pixels.logits.sigmoid() if pixels.logits.shape[1] == 1 else pixels.logits.softmax(1)


def one_hot(pixels: Pixels) -> Tensor:
    """Return the valid truth as (B, K, N) bool; for K = 1 the foreground alone."""
    classes = pixels.logits.shape[1]
    first = 1 if classes == 1 else 0
    index = torch.arange(first, first + classes, device=pixels.target.device)
    hot = pixels.target[:, None] == index[:, None]
    return hot if pixels.whole else hot & pixels.valid[:, None]


def region_pixels(logits: Tensor, target: Tensor, ignore_index: int, weight: ClassWeight) -> Pixels:
    """Flatten for a region loss: binary logits stand for the foreground alone.

    With a `weight` for background and foreground they stand for both classes.
    """
    return flatten(logits, target, ignore_index, two=weight is not None)


def region_sums(pixels: Pixels, per_image: bool, *, squared: bool = False) -> Regions:
    """Sum overlap, prediction and truth of each class over valid pixels."""
    prob = probabilities(pixels)
    truth = one_hot(pixels).to(prob.dtype)  # a product with bool is slower than this
    seen = prob if pixels.whole else prob * pixels.valid[:, None].to(prob.dtype)
    sums = Regions(
        (prob * truth).sum(-1),
        (seen * prob if squared else seen).sum(-1),
        truth.sum(-1),
    )
    return sums if per_image else Regions(*(part.sum(0) for part in sums))


def check_smooth(smooth: float) -> None:
    """Raise ValueError for a smoothing constant that could make a score infinite or negative."""
    if not 0 <= smooth < math.inf:
        raise ValueError(f"smooth must be a finite number >= 0, got {smooth}")


def reduce_classes(
    terms: Tensor,
    truth: Tensor,
    weight: ClassWeight,
    reduction: Reduction,
    pixels: Pixels,
    absent: Absent = "keep",
    power: float = 1.0,
) -> Tensor:
    """Reduce (C,) or (B, C) class terms; `truth`, of the same shape, counts each class's pixels.

    "none": terms * weight. "sum": its sum. "mean": the weighted mean over classes, to the `power`,
    then the mean over the images of `pixels` that have a valid pixel and a class with weight.
    `absent="skip"` gives classes without a pixel no weight.
    """
    if absent not in ("keep", "skip"):
        raise ValueError(f"absent is {absent!r}; choose from: keep, skip")
    check_reduction(reduction)
    mass = class_weights(weight, terms.shape[-1], terms).expand_as(terms)
    if absent == "skip":
        mass = mass * (truth > 0)
    weighted = terms * mass
    if reduction == "none":
        return weighted
    if reduction == "sum":
        return weighted.sum()
    masses = mass.sum(-1)
    means = weighted.sum(-1) / safe(masses)
    if power != 1:
        means = means.clamp(min=TINY) ** power
    return _mean_of_images(means, masses > 0, pixels)


def reduce_images(values: Tensor, reduction: Reduction, pixels: Pixels) -> Tensor:
    """Reduce one loss, or one per image (B,): "none" as it is, "sum" the sum.

    "mean" is the mean over the images of `pixels` that have a valid pixel.
    """
    check_reduction(reduction)
    if reduction == "none":
        return values
    if reduction == "sum":
        return values.sum()
    return _mean_of_images(values, torch.ones_like(values, dtype=torch.bool), pixels)


def _mean_of_images(values: Tensor, counted: Tensor, pixels: Pixels) -> Tensor:
    """Mean of the `counted` of (B,) values, or the one of the batch, where a pixel is valid.

    Without any it is 0, attached to the graph.
    """
    seen = pixels.counts() > 0
    counted = counted & (seen if values.ndim else seen.any())
    return torch.where(counted, values, 0).sum() / safe(counted.sum())
