"""The sums of two losses that have names of their own."""

from typing import TypedDict

from torch import Tensor

from embedseg.losses._module import LossModule
from embedseg.losses._pixels import ClassWeight, Reduction
from embedseg.losses.boundary import boundary_loss
from embedseg.losses.cross_entropy import cross_entropy_loss
from embedseg.losses.dice import dice_loss
from embedseg.losses.focal import focal_loss
from embedseg.losses.generalised_dice import generalised_dice_loss


def dice_cross_entropy_loss(
    logits: Tensor,
    target: Tensor,
    *,
    ignore_index: int = -1,
    weight: ClassWeight = None,
    reduction: Reduction = "mean",
    per_image: bool = False,
) -> Tensor:
    """Return Dice plus cross-entropy.

    Formula: Dice + CE
    Paper: arXiv:1809.10486 (nnU-Net)
    When: the safe choice for unbalanced foregrounds.

    Only `reduction="mean"`, here and in the other sums; `combined_loss` takes other factors.
    """
    _mean_only(reduction)
    shared = _shared(ignore_index, weight, per_image)
    return dice_loss(logits, target, **shared) + cross_entropy_loss(logits, target, **shared)


def dice_focal_loss(
    logits: Tensor,
    target: Tensor,
    *,
    ignore_index: int = -1,
    weight: ClassWeight = None,
    reduction: Reduction = "mean",
    per_image: bool = False,
    gamma: float = 2.0,
) -> Tensor:
    """Return Dice plus focal loss.

    Formula: Dice + focal
    Paper: arXiv:1808.05238 (AnatomyNet)
    When: as Dice + CE, with many easy background pixels.
    """
    _mean_only(reduction)
    shared = _shared(ignore_index, weight, per_image)
    return dice_loss(logits, target, **shared) + focal_loss(logits, target, gamma=gamma, **shared)


def generalised_dice_boundary_loss(
    logits: Tensor,
    target: Tensor,
    *,
    ignore_index: int = -1,
    weight: ClassWeight = None,
    reduction: Reduction = "mean",
    per_image: bool = False,
    distance: Tensor | None = None,
    boundary_factor: float = 0.1,
) -> Tensor:
    """Return generalised Dice plus a constant share of the boundary loss.

    Formula: GDL + 0.1 boundary
    Paper: arXiv:1812.07032
    When: thin or small objects, without a schedule.

    `weight` acts on both; see `boundary_loss` for `distance`.
    """
    _mean_only(reduction)
    shared = _shared(ignore_index, weight, per_image)
    edge = boundary_loss(logits, target, distance=distance, **shared)
    return generalised_dice_loss(logits, target, **shared) + boundary_factor * edge


def _mean_only(reduction: str) -> None:
    if reduction != "mean":
        raise ValueError(f"reduction is {reduction!r}; a sum of two losses has 'mean' alone")


class _Shared(TypedDict):
    ignore_index: int
    weight: ClassWeight
    per_image: bool


def _shared(ignore_index: int, weight: ClassWeight, per_image: bool) -> _Shared:
    return {"ignore_index": ignore_index, "weight": weight, "per_image": per_image}


class DiceCrossEntropyLoss(LossModule):
    """`dice_cross_entropy_loss` as a module."""

    function = staticmethod(dice_cross_entropy_loss)


class DiceFocalLoss(LossModule):
    """`dice_focal_loss` as a module."""

    function = staticmethod(dice_focal_loss)


class GeneralisedDiceBoundaryLoss(LossModule):
    """`generalised_dice_boundary_loss` as a module."""

    function = staticmethod(generalised_dice_boundary_loss)
