"""What the losses on distance maps share: the maps of a target, and the mean over class maps."""

from collections.abc import Sequence

from torch import Tensor

from embedseg.losses._pixels import (
    ClassWeight,
    Pixels,
    Reduction,
    check_reduction,
    check_tensors,
    class_weights,
    safe,
)
from embedseg.losses.distance_maps import batch_maps


def given_or_computed(
    name: str,
    maps: Tensor | None,
    labels: Tensor,
    like: Tensor,
    spacing: Sequence[float] | None,
    *,
    signed: bool,
) -> Tensor:
    """Return (B, C, N) maps of the dtype of `like` (B, C, N): those given, or those of `labels`.

    Of two given maps the foreground's is taken where `like` has one class.
    """
    if maps is None:
        maps = batch_maps(labels, like.shape[1], spacing=spacing, signed=signed)
    elif spacing is not None:
        raise ValueError(f"spacing has no use when {name} is given; leave one of them out")
    check_tensors(**{name: maps})
    if like.shape[1] == 1 and maps.shape[1] == 2:
        maps = maps[:, 1:]
    if maps.shape[:2] != like.shape[:2] or maps.shape[2:].numel() != like.shape[2]:
        raise ValueError(
            f"{name} has shape {tuple(maps.shape)}; give ({like.shape[0]}, {like.shape[1]}, *S)"
        )
    return maps.to(like).flatten(2)


def class_labels(target: Tensor, ignore_index: int) -> Tensor:
    """Return the target with ignored pixels as -1, which belong to no class."""
    labels = target.long()
    return labels.masked_fill(labels == ignore_index, -1)


def reduce_maps(
    values: Tensor,
    pixels: Pixels,
    weight: ClassWeight,
    reduction: Reduction,
    per_image: bool,
    shape: Sequence[int],
) -> Tensor:
    """Reduce (B, C, N) values: weighted mean over classes, mean over valid pixels.

    "none" gives (B, C, *S), weighted and 0 where ignored; "sum" its sum. `shape` is (B, *S).
    """
    check_reduction(reduction)
    weights = class_weights(weight, values.shape[1], values)
    weighted = values if weight is None else values * weights[:, None]
    if not pixels.whole:
        weighted = weighted * pixels.valid[:, None].to(values.dtype)
    if reduction == "none":
        return weighted.reshape(*values.shape[:2], *shape[1:])
    if reduction == "sum":
        return weighted.sum()
    counts = pixels.counts()
    totals = weighted.sum((1, 2)) / safe(weights.sum())
    if not per_image:
        return totals.sum() / safe(counts.sum())
    return (totals / safe(counts)).sum() / safe((counts > 0).sum())
