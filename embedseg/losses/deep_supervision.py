"""Deep supervision: one loss on the main output and on side outputs of any resolution."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor


def deep_supervision(
    outputs: Sequence[Tensor],
    target: Tensor,
    loss: Callable[[Tensor, Tensor], Any],
    *,
    weights: Sequence[float] | None = None,
) -> tuple[Tensor, list[Any]]:
    """Return sum_i w_i loss(outputs[i], target at its size), and what `loss` returned for each.

    Formula: sum_i w_i L(z_i, y at the size of z_i)
    Paper: arXiv:1409.5185; UNet++ arXiv:1807.10165
    When: deep decoders with side heads, for logits and embeddings alike.

    `outputs` are (B, C, *S_i), `target` (B, *S) of integers, classes or instances. The target is
    brought to each size by picking the nearest pixel; outputs are never resized, for between two
    embeddings may lie a third instance. `loss` returns a tensor, a tuple whose first entry is the
    total (`combined_loss`, `discriminative_loss`). `weights` default to 1 each.
    """
    factors = [1.0] * len(outputs) if weights is None else list(weights)
    if not outputs or len(factors) != len(outputs):
        raise ValueError(
            f"there are {len(outputs)} outputs and {len(factors)} weights; give one weight each"
        )
    results = [loss(output, resize_labels(target, output.shape[2:])) for output in outputs]
    totals = [result[0] if isinstance(result, tuple) else result for result in results]
    total = sum(
        (factor * part for factor, part in zip(factors, totals, strict=True)),
        start=torch.zeros_like(totals[0]),
    )
    return total, results


def resize_labels(labels: Tensor, size: Sequence[int]) -> Tensor:
    """Return (B, *size) labels, each the one at floor((i + 1/2) S / size) along every axis."""
    if len(size) != labels.ndim - 1:
        raise ValueError(
            f"labels have {labels.ndim - 1} space dimensions, size {tuple(size)} has {len(size)}"
        )
    for axis, new in enumerate(size, start=1):
        old = labels.shape[axis]
        if new != old:
            place = torch.arange(new, device=labels.device)
            labels = labels.index_select(axis, (2 * place + 1) * old // (2 * new))
    return labels
