"""Instances numbered 1..n without the small ones, in two passes over the pixels."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from clustering.jit import kernel

Labels = NDArray[np.int32]


def number(labels: Labels, min_size: int = 1) -> Labels:
    """Return labels (*S) whose instances of `min_size` pixels and more are 1..n, in their order.

    What `filter_small` and `relabel` of `embedseg.labels` do one after the other, for ids >= 0 that
    are few beside the pixels.
    """
    flat = np.ascontiguousarray(labels, np.int32).reshape(-1)
    sizes = np.zeros(int(flat.max(initial=0)) + 1, np.int64)
    count(flat, sizes)
    kept = sizes >= max(min_size, 1)
    kept[0] = False
    out = np.empty_like(flat)
    put((np.cumsum(kept) * kept).astype(np.int32), flat, out)
    return out.reshape(labels.shape)


@kernel
def count(labels: Any, sizes: Any) -> None:
    """Add the number of pixels of each id to sizes (largest id + 1,)."""
    first = 0
    for index in range(1, len(labels) + 1):  # a run of one id at a time: pixels alike wait for
        if index == len(labels) or labels[index] != labels[first]:  # each other's sum
            sizes[labels[first]] += index - first
            first = index


@kernel
def put(table: Any, labels: Any, out: Any) -> None:
    """Write table[label] of each pixel into out (P,)."""
    for index in range(len(labels)):
        out[index] = table[labels[index]]
