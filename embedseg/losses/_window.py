"""Which pixels see two different labels in a square window: bands along borders, on any device."""

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 (the usual name)


def mixed_window(labels: Tensor, width: int, ignore_index: int) -> Tensor:
    """Return (B, *S) bool: the window around the pixel holds two labels that are not ignored.

    The window has `width` pixels (odd) along every axis. Ignored pixels themselves give False.
    For a two-class mask this is its dilation without its erosion.
    """
    if width < 3 or width % 2 == 0:
        raise ValueError(f"width must be odd and >= 3, got {width}; it counts pixels")
    labels = labels.long()
    valid = labels != ignore_index
    low = torch.iinfo(torch.int64).min
    highest, lowest = torch.where(valid, labels, low), torch.where(valid, -labels, low)
    for axis in range(1, labels.ndim):
        highest = _running_max(highest, width, axis, low)
        lowest = _running_max(lowest, width, axis, low)
    return valid & (highest > -lowest)


def window_touches(mask: Tensor, width: int) -> Tensor:
    """Return (B, *S) bool: the window of `width` pixels (odd) around the pixel meets the mask."""
    found = mask.byte()
    for axis in range(1, mask.ndim):
        found = _running_max(found, width, axis, 0)
    return found.bool()


def _running_max(values: Tensor, width: int, axis: int, fill: int) -> Tensor:
    """Return the maximum of the `width` values centred on each place, by doubling the span."""
    half, length = width // 2, values.shape[axis]
    grown = F.pad(values, [0, 0] * (values.ndim - 1 - axis) + [half, half], value=fill)
    span = 1
    while 2 * span <= width:
        size = grown.shape[axis] - span
        grown = torch.maximum(grown.narrow(axis, 0, size), grown.narrow(axis, span, size))
        span *= 2
    return torch.maximum(grown.narrow(axis, 0, length), grown.narrow(axis, width - span, length))
