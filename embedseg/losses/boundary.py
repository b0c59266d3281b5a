"""Boundary loss: probabilities weighed by their signed distance to the true border."""

from collections.abc import Sequence

from torch import Tensor

from embedseg.losses._maps import class_labels, given_or_computed, reduce_maps
from embedseg.losses._module import LossModule
from embedseg.losses._pixels import ClassWeight, Reduction
from embedseg.losses._regions import probabilities, region_pixels


def boundary_loss(
    logits: Tensor,
    target: Tensor,
    *,
    ignore_index: int = -1,
    weight: ClassWeight = None,
    reduction: Reduction = "mean",
    per_image: bool = False,
    distance: Tensor | None = None,
    spacing: Sequence[float] | None = None,
) -> Tensor:
    """Return the boundary loss; it may be negative.

    Formula: mean_{l,n} p_l(n) phi_l(n), phi the signed distance to class l
    Paper: arXiv:1812.07032
    When: beside a region loss (generalised Dice) for thin or small objects; see the schedules.

    `distance` (B, C, *S) are the maps of `signed_distance_maps`, best computed in the loader's
    workers; without it they are computed here, on the CPU, with `spacing`. C is K, for binary
    logits 1 (foreground), or 2 with a `weight`. `weight` gives the weighted mean over classes; the
    authors use the foreground classes, `[0, 1, ...]`. "none" gives (B, C, *S).

    An object one pixel wide has phi = 0 everywhere in it: missing it costs nothing here.
    """
    pixels = region_pixels(logits, target, ignore_index, weight)
    prob = probabilities(pixels)
    labels = class_labels(target, ignore_index)
    maps = given_or_computed("distance", distance, labels, prob, spacing, signed=True)
    return reduce_maps(prob * maps, pixels, weight, reduction, per_image, target.shape)


class BoundaryLoss(LossModule):
    """`boundary_loss` as a module."""

    function = staticmethod(boundary_loss)
