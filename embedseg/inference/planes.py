"""A network's output as clustering reads it: where it lies, or one plane per coordinate.

On a processor networks run with the channels of a pixel side by side (`channels_last`), so that is
how their outputs lie in memory. OpenCV's transpose brings a 16 x 512 x 512 embedding into planes in
a fifth of the time that torch takes; to leave it where it is takes none.
"""

import numpy as np
import torch
from numpy.typing import NDArray

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
