"""The label convention of the whole package, with the few operations that everything shares.

A label image is an integer array of any number of dimensions: 0 is background, `IGNORE` = -1
takes no part in anything, instances are >= 1 and need not be consecutive. No function here writes
into its argument; what renumbers returns the map, what drops objects says how many. `IGNORE`
pixels never change. Every function takes time linear in the pixels, whatever the number of
instances, and serves (H, W) as well as (D, H, W).

Neighbours: pixels of an instance that touch at a corner belong together (8 neighbours in the
plane, 26 in space); background holds together through faces only (4 and 6), which is its dual, so
that an instance closed in one sense is closed in the other.
"""

from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

IGNORE = -1
BACKGROUND = 0

Labels = npt.NDArray[Any]  # integers; the alias says what is meant
Ids = npt.NDArray[np.int64]


def relabel(labels: Labels) -> tuple[Labels, dict[int, int]]:
    """Renumber the instances 1..n in the order of their ids; also return the map new to old."""
    labels = checked(labels)
    ids, index = _compact(labels)
    new = np.cumsum(ids > 0) * (ids > 0) + IGNORE * (ids == IGNORE)
    old_of = {int(n): int(o) for n, o in zip(new, ids, strict=True) if n > 0}
    return new.astype(labels.dtype)[index], old_of


def filter_small(labels: Labels, min_size: int) -> tuple[Labels, int]:
    """Make instances of fewer than `min_size` pixels background; also say how many there were."""
    labels = checked(labels)
    ids, index = _compact(labels)
    sizes = np.bincount(index.ravel(), minlength=len(ids))
    small = (ids > 0) & (sizes < min_size)
    kept = np.where(small, BACKGROUND, ids).astype(labels.dtype)
    return kept[index], int(small.sum())


def split_components(labels: Labels) -> tuple[Labels, dict[int, int]]:
    """Give each connected piece of each instance an id of its own.

    Pieces are numbered 1..n by their old id, then by their first pixel, so that whole instances
    with consecutive ids come back as they were. The second value maps new ids to old ones. The
    result is int32, which no number of pieces outgrows.
    """
    labels = checked(labels)
    piece, old = _pieces(labels)
    order = np.argsort(np.where(old > 0, old, 0), kind="stable")
    number = np.empty(len(old), np.int32)
    number[order] = np.cumsum(old[order] > 0)
    number[old <= 0] = old[old <= 0]
    old_of = {int(number[p]): int(old[p]) for p in order if old[p] > 0}
    return number[piece], old_of


def keep_largest_component(labels: Labels) -> Labels:
    """Make all but the largest connected piece of each instance background.

    No instance is lost. Of equally large pieces the one that comes first in C order stays.
    """
    labels = checked(labels)
    piece, old = _pieces(labels)
    sizes = np.bincount(piece.ravel(), minlength=len(old))
    order = np.lexsort((-sizes, old))  # by id, then the largest first, then the earliest
    keep = old <= 0
    keep[order[np.diff(old[order], prepend=IGNORE - 1) != 0]] = True
    return np.where(keep, old, BACKGROUND).astype(labels.dtype)[piece]


def fill_holes(labels: Labels) -> Labels:
    """Fill the background that an instance encloses.

    A hole is a connected piece of background that does not touch the image's border and all of
    whose neighbours carry one and the same instance id. A gap between two instances, and one that
    holds another instance or touches an IGNORE pixel, is not a hole.
    """
    labels = np.array(checked(labels), order="C")
    if labels.ndim == 2:
        from embedseg.row_runs import fill_enclosed, row_runs

        fill_enclosed(labels, *row_runs(labels == BACKGROUND, corners=False))
        return labels
    from scipy import ndimage

    pieces, count = ndimage.label(labels == BACKGROUND)
    closed = np.arange(count + 1) > 0
    for axis in range(labels.ndim if labels.size else 0):
        for side in (0, -1):
            closed[np.take(pieces, side, axis)] = False
    if not closed.any():
        return labels
    inside = np.flatnonzero(closed[pieces])
    flat, piece = labels.reshape(-1), pieces.reshape(-1)[inside]
    low = np.full(count + 1, np.iinfo(np.int64).max)
    high = np.full(count + 1, np.iinfo(np.int64).min)
    for axis in range(labels.ndim):
        stride = int(np.prod(labels.shape[axis + 1 :]))
        for beside in (flat[inside - stride], flat[inside + stride]):
            edge = beside != BACKGROUND
            np.minimum.at(low, piece[edge], beside[edge])
            np.maximum.at(high, piece[edge], beside[edge])
    fill = closed & (low == high) & (low > 0)
    flat[inside] = np.where(fill, low, BACKGROUND)[piece]
    return labels


def overlap_table(a: Labels, b: Labels) -> tuple[Ids, Ids, Ids]:
    """Count the pixels that each id of `a` shares with each id of `b`.

    Returns the sorted ids of `a`, those of `b`, and the (len(ids_a), len(ids_b)) table of counts.
    Pixels that are IGNORE in either image are left out; background has a row or column where a
    counted pixel carries it. Row sums are the sizes in `a`, column sums those in `b`.
    """
    a, b = checked(a), checked(b)
    if a.shape != b.shape:
        raise ValueError(f"the two label images differ in shape: {a.shape} and {b.shape}")
    if _min(a) < 0 or _min(b) < 0:
        counted = (a != IGNORE) & (b != IGNORE)
        a, b = a[counted], b[counted]
    (ids_a, index_a), (ids_b, index_b) = _compact(a), _compact(b)
    flat = index_a.ravel() * len(ids_b)
    flat += index_b.ravel()
    counts = np.bincount(flat, minlength=len(ids_a) * len(ids_b))
    return ids_a, ids_b, counts.reshape(len(ids_a), len(ids_b)).astype(np.int64, copy=False)


def checked(labels: Labels) -> Labels:
    """Return the array, bool as uint8; a ValueError where it is no label image."""
    labels = np.asarray(labels)
    if labels.dtype == bool:
        labels = labels.view(np.uint8)
    if labels.dtype.kind not in "iu":
        raise ValueError(f"labels must be integers, got {labels.dtype}; round and cast them first")
    if labels.dtype == np.uint64 and labels.size and labels.max() > np.iinfo(np.int64).max:
        raise ValueError(f"labels must be below 2**63, got {labels.max()}; number them from 1")
    if _min(labels) < IGNORE:
        raise ValueError(
            f"labels must be >= {IGNORE} (-1 ignores, 0 is background), got {_min(labels)}"
        )
    return labels


def _min(labels: Labels) -> int:
    return int(labels.min()) if labels.size else 0


def _compact(labels: Labels) -> tuple[Ids, Ids]:
    """Return the sorted ids present and, for each pixel, the position of its id among them."""
    if not labels.size:
        return np.zeros(0, np.int64), np.zeros(labels.shape, np.int64)
    low, high = int(labels.min()), int(labels.max())
    if high - low > 4 * labels.size + 65536:  # a table of this length would outweigh the sorting
        ids, index = np.unique(labels, return_inverse=True)
        return ids.astype(np.int64), index.reshape(labels.shape).astype(np.int64, copy=False)
    shifted = labels.astype(np.int64)
    shifted -= low
    present = np.bincount(shifted.ravel()) > 0
    return np.flatnonzero(present) + low, (np.cumsum(present) - 1)[shifted]


def _pieces(labels: Labels) -> tuple[Ids, Ids]:
    """Cut the image into connected pieces of one value each, in one pass over all values.

    Returns the piece of each pixel, numbered from 0 by first pixel, and the value of each piece.
    Instances hold together through faces and corners; what is none stays in pieces along the last
    axis.
    """
    from scipy.sparse import coo_array  # 0.2 s of import that `embedseg --help` need not pay
    from scipy.sparse.csgraph import connected_components

    if not labels.size:
        return np.zeros(labels.shape, np.int64), np.zeros(0, np.int64)
    starts = np.ones(labels.shape, bool)
    starts[..., 1:] = labels[..., 1:] != labels[..., :-1]
    run = np.cumsum(starts.ravel()).reshape(labels.shape) - 1
    joinable = labels > 0
    links = [np.zeros((2, 0), np.int64)]
    for offset in _offsets(labels.ndim):
        near, far = _shifted(offset)
        same = joinable[near] & (labels[near] == labels[far])
        pair = np.stack([run[near][same], run[far][same]])
        links.append(pair[:, np.any(np.diff(pair, prepend=-1), axis=0)])
    value = labels[starts].astype(np.int64)
    first, second = np.concatenate(links, axis=1)
    graph = coo_array((np.ones(len(first), np.int8), (first, second)), (len(value), len(value)))
    count, component = connected_components(graph, directed=False)
    earliest = np.full(count, len(value))
    np.minimum.at(earliest, component, np.arange(len(value)))
    order = np.argsort(earliest)
    rank = np.empty(count, np.int64)
    rank[order] = np.arange(count)
    return rank[component][run], value[earliest[order]]


def _offsets(ndim: int) -> list[tuple[int, ...]]:
    """Return half of the neighbours of a pixel, without those along the last axis (the runs)."""
    half = [o for o in product((-1, 0, 1), repeat=ndim) if o > (0,) * ndim]
    return [o for o in half if any(o[:-1])]


def _shifted(offset: tuple[int, ...]) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Return the slices of the pixels with a neighbour at `offset`, and of those neighbours."""
    near = tuple(slice(max(0, -o), min(0, -o) or None) for o in offset)
    far = tuple(slice(max(0, o), min(0, o) or None) for o in offset)
    return near, far
