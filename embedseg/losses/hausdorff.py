"""Hausdorff loss: squared errors weighed by squared distances from both borders."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from embedseg.losses._maps import class_labels, given_or_computed, reduce_maps
from embedseg.losses._module import LossModule
from embedseg.losses._pixels import ClassWeight, Reduction
from embedseg.losses._regions import one_hot, probabilities, region_pixels

Form = Literal["both", "inside"]


def hausdorff_loss(  # noqa: PLR0913 (one signature for all losses)
    logits: Tensor,
    target: Tensor,
    *,
    ignore_index: int = -1,
    weight: ClassWeight = None,
    reduction: Reduction = "mean",
    per_image: bool = False,
    form: Form = "both",
    power: float = 2.0,
    border_distance: Tensor | None = None,
    predicted_distance: Tensor | None = None,
    spacing: Sequence[float] | None = None,
) -> Tensor:
    """Return the distance-transform Hausdorff loss.

    Formula: mean_{l,n} (r - p)^2 (d_r^a + d_p^a), d the distances from the border
    Paper: arXiv:1904.10030
    When: the worst border error matters; beside a region loss. Slow: maps of every prediction.

    `form="both"`: d is measured on both sides of the border, and the prediction is p > 1/2 (MONAI,
    SegWithDistMap). `form="inside"`: d is 0 outside the class, and the prediction is the most
    likely class (the boundary loss's code; there the predicted map is also cut to integers).
    `power` is a. A class without a pixel, or with all, has the map 0. `border_distance` (maps of
    `border_distance_maps`) and `predicted_distance` (B, C, *S) replace those of the target and of
    the prediction, which are computed on the CPU with `spacing`; no gradient flows through them.
    Classes and "none" as in `boundary_loss`.
    """
    if form not in ("both", "inside"):
        raise ValueError(f"form is {form!r}; choose from: both, inside")
    if not power > 0:
        raise ValueError(f"power must be > 0, got {power}; the published value is 2")
    if border_distance is not None and predicted_distance is not None and spacing is not None:
        raise ValueError("spacing has no use when both distances are given; leave it out")
    pixels = region_pixels(logits, target, ignore_index, weight)
    prob = probabilities(pixels)
    labels = class_labels(target, ignore_index)
    guess = _predicted_labels(prob.detach(), form)
    guess = torch.where(pixels.valid, guess, -1).reshape(target.shape)
    field = torch.zeros_like(prob)
    for name, maps, image in (
        ("border_distance", border_distance, labels),
        ("predicted_distance", predicted_distance, guess),
    ):
        steps = spacing if maps is None else None
        part = given_or_computed(name, maps, image, prob, steps, signed=False)
        field = field + _one_side(part, image, form == "inside") ** power
    error = (one_hot(pixels).to(prob.dtype) - prob) ** 2
    return reduce_maps(error * field, pixels, weight, reduction, per_image, target.shape)


def _predicted_labels(prob: Tensor, form: Form) -> Tensor:
    """Return the (B, N) predicted class, -1 for none."""
    if prob.shape[1] == 1:
        return (prob[:, 0] > 0.5).long()
    best = prob.max(1)
    if form == "inside":
        return best.indices
    return torch.where(best.values > 0.5, best.indices, -1)


def _one_side(maps: Tensor, labels: Tensor, inside: bool) -> Tensor:
    """Return (B, C, N) maps, with zeros outside each class if `inside`."""
    if not inside:
        return maps
    classes = maps.shape[1]
    values = torch.arange(classes, device=maps.device) if classes > 1 else labels.new_ones(1)
    return maps * (labels.flatten(1)[:, None] == values[:, None])


class HausdorffLoss(LossModule):
    """`hausdorff_loss` as a module."""

    function = staticmethod(hausdorff_loss)
