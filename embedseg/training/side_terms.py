"""Losses of heads that serve the training: borders, presence, features of a class, consistency."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from torch import Tensor

from embedseg.losses import (
    border_loss,
    category_consistent_loss,
    consistency_loss,
    deep_supervision,
    semantic_encoding_loss,
)

Outputs = Mapping[str, Tensor]
Batch = Mapping[str, Tensor]
Keywords = Mapping[str, Any]


def _border(outputs: Outputs, batch: Batch, options: Keywords) -> Tensor:
    """Sum over the maps of a border network, or the one of the border head."""
    sides = outputs.get("border_sides")
    maps = [outputs["border"]] if sides is None else list(sides)
    return deep_supervision(
        maps, batch["labels"], lambda z, ids: border_loss(z, ids, per_image=True, **options)
    )[0]


def _category(outputs: Outputs, batch: Batch, options: Keywords) -> Tensor:
    return category_consistent_loss(
        outputs["category"], batch["semantic"], **{"per_image": True, **options}
    ).total


def _consistency(outputs: Outputs, batch: Batch, options: Keywords) -> Tensor:
    return consistency_loss(outputs["semantic"], batch["teacher"], **{"per_image": True, **options})


def _presence(outputs: Outputs, batch: Batch, options: Keywords) -> Tensor:
    return semantic_encoding_loss(outputs["presence"], batch["semantic"], **options)


TERMS: dict[str, Callable[[Outputs, Batch, Keywords], Tensor]] = {
    "border": _border,
    "category_consistent": _category,
    "consistency": _consistency,
    "semantic_encoding": _presence,
}
HEADS = {"border": "border", "category_consistent": "category", "semantic_encoding": "presence"}
WHOLE = ("deep_supervision", "discriminative")  # of the objective itself


def training_heads(names: Iterable[str], options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the heads that these losses need and the backbone, by its options, does not bring."""
    return tuple(sorted(HEADS[n] for n in names if n in HEADS and not options.get(HEADS[n])))


def side_total(
    outputs: Outputs, batch: Batch, spec: Mapping[str, float], options: Mapping[str, Keywords]
) -> tuple[Tensor | float, dict[str, Tensor]]:
    """Return sum_i spec[name_i] * loss_i and each loss_i; `batch` is at the outputs' size."""
    parts = {name: TERMS[name](outputs, batch, options.get(name, {})) for name in spec}
    return sum((spec[name] * part for name, part in parts.items()), start=0.0), parts
