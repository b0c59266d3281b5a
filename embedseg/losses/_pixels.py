"""What every loss does first: check arguments, go to float32, flatten space, set ignored apart."""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor

Reduction = Literal["mean", "sum", "none"]
ClassWeight = Tensor | Sequence[float] | None


class Pixels(NamedTuple):
    """Logits and target with space flattened to N pixels."""

    logits: Tensor
    """(B, K, N), float32 (float64 if given so), whatever the autocast."""
    target: Tensor
    """(B, N), int64; 0 where the pixel is ignored."""
    valid: Tensor
    """(B, N), bool; False where the pixel is ignored."""
    whole: bool = False
    """No pixel is ignored, which spares work; False where that is not known."""

    def counts(self) -> Tensor:
        """Return the (B,) numbers of valid pixels."""
        images, size = self.valid.shape
        return self.target.new_full((images,), size) if self.whole else self.valid.sum(-1)


def flatten(logits: Tensor, target: Tensor, ignore_index: int, *, two: bool = False) -> Pixels:
    """Check (B, K, *S) logits against a (B, *S) integer target and flatten both.

    `two` writes a binary problem (K = 1, logit z) as two classes with logits (0, z), which has
    the same probabilities (sigmoid(-z), sigmoid(z)).

    Raises TypeError where either is no tensor, ValueError where shapes disagree, K = 0, the target
    is not of integers, or a class lies outside 0..K-1 (0..1 for K = 1).
    """
    check_tensors(logits=logits, target=target)
    if logits.ndim < 3 or target.shape != logits.shape[:1] + logits.shape[2:]:
        raise ValueError(
            f"logits {tuple(logits.shape)} and target {tuple(target.shape)} do not fit; "
            "give logits (B, K, *S) and target (B, *S)"
        )
    if logits.shape[1] == 0:
        raise ValueError(f"logits {tuple(logits.shape)} have no channel; give (B, K, *S), K >= 1")
    if target.is_floating_point() or target.is_complex():
        raise ValueError(f"target is {target.dtype}; give integer classes, e.g. target.long()")
    flat = target.flatten(1).long()
    scores = promote(logits).flatten(2)
    if two and scores.shape[1] == 1:
        scores = torch.cat([torch.zeros_like(scores), scores], 1)
    low, high = extent(flat)
    if low <= high and not low <= ignore_index <= high:
        check_range(low, high, max(logits.shape[1], 2))
        return Pixels(scores, flat, torch.ones_like(flat, dtype=torch.bool), True)
    valid = flat != ignore_index
    flat = torch.where(valid, flat, 0)
    check_range(*extent(flat), max(logits.shape[1], 2))
    return Pixels(scores, flat, valid)


def check_tensors(**values: object) -> None:
    """Raise TypeError if a value is no tensor, naming it by its keyword."""
    for name, value in values.items():
        if not isinstance(value, Tensor):
            kind = f"{type(value).__module__}.{type(value).__qualname__}"
            raise TypeError(f"{name} must be a torch tensor, got {kind}; use torch.as_tensor(...)")


def promote(values: Tensor) -> Tensor:
    """Return `values` in float32, or as they are if they are float64."""
    return values if values.dtype == torch.float64 else values.float()


def extent(target: Tensor) -> tuple[int, int]:
    """Return the least and largest class; (0, -1) where there is none or it is not known."""
    if target.numel() == 0 or torch.compiler.is_compiling():
        return 0, -1
    low, high = torch.stack(target.aminmax()).tolist()
    return int(low), int(high)


def check_range(low: int, high: int, classes: int) -> None:
    """Raise ValueError if a class of `low`..`high` lies outside 0..classes-1."""
    if low < 0 or high >= classes:
        raise ValueError(
            f"target has classes {low}..{high}, but the logits allow 0..{classes - 1}; "
            "give semantic classes (not instance numbers) or set ignore_index"
        )


def class_weights(weight: ClassWeight, classes: int, like: Tensor, name: str = "weight") -> Tensor:
    """Return `weight` as a (classes,) tensor of the dtype and device of `like`; ones for None.

    Raises ValueError, which says `name`, for another shape and for numbers that are no weights
    (those of a GPU are not looked at, which would wait for it).
    """
    if weight is None:
        return like.new_ones(classes)
    given = torch.as_tensor(weight, dtype=like.dtype)
    if given.shape != (classes,):
        raise ValueError(
            f"{name} has shape {tuple(given.shape)}, but there are {classes} classes; give one "
            "number per class (two, background and foreground, for binary logits)"
        )
    seen = given.device.type == "cpu" and not torch.compiler.is_compiling()
    if seen and not all(0 <= number < math.inf for number in given.tolist()):
        raise ValueError(f"{name} must be finite numbers >= 0, got {given.tolist()}")
    return given.to(like.device)


def reduce_pixels(
    values: Tensor,
    mass: Tensor,
    reduction: Reduction,
    per_image: bool,
    shape: Sequence[int],
) -> Tensor:
    """Reduce (B, N) losses whose pixels weigh `mass` (B, N), 0 where ignored.

    "none": values * mass in `shape` (B, *S). "sum": its sum. "mean": sum(values * mass) /
    sum(mass) over all pixels, or with `per_image` in each image and then the mean over the
    images that have any mass. No mass at all gives 0, attached to the graph.
    """
    weighted = values * mass
    if reduction == "none":
        return weighted.reshape(tuple(shape))
    if reduction == "sum":
        return weighted.sum()
    check_reduction(reduction)
    if not per_image:
        return weighted.sum() / safe(mass.sum())
    totals = mass.sum(1)
    return (weighted.sum(1) / safe(totals)).sum() / safe((totals > 0).sum())


def check_reduction(reduction: str) -> None:
    """Raise ValueError unless `reduction` is one of the three."""
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"reduction is {reduction!r}; choose from: mean, sum, none")


def safe(divisor: Tensor) -> Tensor:
    """Return `divisor` with ones for zeros, so that 0 / divisor is 0 with a zero gradient."""
    return torch.where(divisor == 0, torch.ones_like(divisor), divisor)
