"""One pass over all pixels: the nearest centre of each, and the mean of those within a distance."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clustering import kernels
from clustering.assign import squared_distances
from clustering.pixels import Pixels, rows

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Assignment:
    """labels (N,): the centre g of a pixel, or ~g if the pixel is beyond the distance.

    means (C, E) and counts (C,) are those of the pixels g; a centre without any keeps its place.
    """

    labels: NDArray[np.int32]
    means: Array
    counts: NDArray[np.int64]

    def far(self) -> NDArray[np.int64]:
        """Return the ranks of the pixels beyond the distance."""
        return np.flatnonzero(self.labels < 0)

    def nearest(self) -> NDArray[np.int32]:
        """Return the centre of every pixel, however far."""
        return np.maximum(self.labels, ~self.labels)


def assign(
    pixels: Pixels,
    centres: Array,
    distance: float | Array,
    *,
    first_within: bool = False,
    n_threads: int | None = None,
) -> Assignment:
    """Assign every pixel to its nearest centre (C, E), C >= 1, or to the first within `distance`.

    The distance is one for all or (C,) one for each.

    Raises ValueError if a coordinate is NaN or infinite.
    """
    count = len(centres)
    chunks = len(pixels.starts) - 1
    labels = np.empty(len(pixels), np.int32)
    sums = np.zeros((chunks, count, pixels.dims))
    counts = np.zeros((chunks, count), np.int64)
    bad = np.zeros(chunks, np.int64)
    across = np.ascontiguousarray(centres.T)
    reach = np.broadcast_to(np.float32(distance), count)
    sure = _sure(centres, reach, first_within)
    rule = (centres, across, sure, reach**2, first_within)
    results = (labels, sums, counts, bad)

    def task(first: int, last: int) -> None:
        kernels.assign(pixels.layout(), first, last, rule, results)

    pixels.over_chunks(task, n_threads)
    if bad.any():
        raise ValueError(
            f"embedding has NaN or infinity in {bad.sum()} of {len(pixels)} points; "
            "look for a diverged network or a corrupt input image"
        )
    total = counts.sum(axis=0)
    means = np.where(total[:, None] > 0, sums.sum(axis=0) / np.maximum(total, 1)[:, None], centres)
    return Assignment(labels, means.astype(np.float32), total)


def drop_small(pixels: Pixels, found: Assignment, min_points: int) -> Assignment:
    """Return the assignment without centres of fewer than min_points pixels within the distance.

    Their pixels go to the nearest centre that is left and count as beyond the distance, the means
    stay. The largest centre always is left.
    """
    kept = found.counts >= min(min_points, found.counts.max())
    if kept.all():
        return found
    new_index = (np.cumsum(kept) - 1).astype(np.int32)
    nearest = found.nearest()
    moved = np.flatnonzero(~kept[nearest])
    labels = np.where(found.labels < 0, ~new_index[nearest], new_index[nearest])
    points = rows(pixels.take(moved).T)
    labels[moved] = ~assign(points, found.means[kept], np.inf, n_threads=1).labels
    return Assignment(labels, found.means[kept], found.counts[kept])


def require_finite(pixels: Pixels, n_threads: int | None = None) -> None:
    """Raise ValueError if a coordinate is NaN or infinite."""
    assign(pixels, np.zeros((1, pixels.dims), np.float32), 1.0, n_threads=n_threads)


def _sure(centres: Array, distance: Array, first_within: bool) -> Array:
    """Return (C,) the squared distance below which a pixel belongs to a centre for certain.

    Triangle inequality: half the way to the nearest other centre; for the first centre within
    `distance`, what keeps the pixel farther than that from all centres before.
    """
    gaps = np.sqrt(squared_distances(centres, centres))
    if first_within:
        gaps -= distance
        gaps[np.triu_indices(len(gaps))] = np.inf
        reach = np.clip(gaps.min(axis=1), 0, distance)
    else:
        np.fill_diagonal(gaps, np.inf)
        reach = gaps.min(axis=1) / 2
    slack = 1 - 1e-6  # rounding must not make a guess certain that is not
    most = np.finfo(np.float32).max  # infinite distances are never sure, so they are seen
    return np.minimum((reach * slack) ** 2, most).astype(np.float32)
