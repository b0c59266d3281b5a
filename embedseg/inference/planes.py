"""A network's output as clustering reads it: where it lies, or one plane per coordinate.

On a processor networks run with the channels of a pixel side by side (`channels_last`), so that is
how their outputs lie in memory. OpenCV's transpose brings a 16 x 512 x 512 embedding into planes in
a fifth of the time that torch takes; to leave it where it is takes none.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from clustering.jit import kernel
from embedseg._cv2 import cv2


def on_host(values: torch.Tensor) -> NDArray[np.float32]:
    """Return (E, *S) on the host in planes or else pixel by pixel, in place where it is either."""
    host = values.detach().float().cpu()
    if not host.is_contiguous():
        host = host.movedim(0, -1).contiguous().movedim(-1, 0)
    return np.asarray(host.numpy(), np.float32)


def planes(values: torch.Tensor) -> NDArray[np.float32]:
    """Return (E, *S) on the host as a C-contiguous array, in place where it is one already."""
    host = on_host(values)
    if host.flags.c_contiguous:
        return host
    rows = np.moveaxis(host, 0, -1).reshape(-1, len(host))
    return np.asarray(cv2.transpose(rows), np.float32).reshape(host.shape)


def all_finite(values: torch.Tensor) -> bool:
    """Tell whether no value is NaN or infinite.

    A sum of finite values is finite, unless it is too large: only then is each value looked at.
    """
    return bool(torch.isfinite(values.sum()) or torch.isfinite(values).all())


def finite_inside(values: NDArray[np.float32], inside: NDArray[np.bool_]) -> bool:
    """Tell whether no vector of (E, *S), as `on_host` gives them, is NaN or infinite `inside` (*S).

    Where nothing is inside all are looked at: a network that fails may show no foreground either.
    """
    mask = np.ascontiguousarray(inside).reshape(-1)
    if not mask.any():
        return bool(np.isfinite(values).all())
    if values.flags.c_contiguous:
        return not np.isnan(nothing(values.reshape(len(values), -1), mask, 1))
    return not np.isnan(nothing(np.moveaxis(values, 0, -1).reshape(1, -1), mask, len(values)))


@kernel
def nothing(lines: Any, inside: Any, width: int) -> float:
    """Return 0 times the sum over all lines (L, width * P) of the values of pixels inside (P,).

    It is NaN if one of them is NaN or infinite.
    """
    total: Any = 0.0
    index = 0
    while index < len(inside):
        first = index
        while index < len(inside) and inside[index]:
            index += 1
        for line in range(len(lines) if index > first else 0):
            part = lines[line, first * width : index * width]
            run = np.float32(0)
            for i in range(len(part)):
                run += part[i] * np.float32(0)
            total += run
        index += 1
    return float(total)
