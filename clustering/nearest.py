"""One pass over all pixels: the nearest centre of each, and the mean of those within a distance."""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from clustering.pixels import Nearest, Pixels, rows
from clustering.tensors import TensorPixels

Array = NDArray[np.float32]

FARTHEST = 1e18  # along an axis; the sum of the squares of some hundred such still fits float32
PART = 1 << 20  # pixels at a time while a fault is looked for


@dataclass(frozen=True)
class Assignment:
    """labels (N,): the centre g of a pixel, or ~g if the pixel is beyond the distance.

    means (C, E) and counts (C,) are those of the pixels g; a centre without any keeps its place.
    """

    labels: NDArray[np.int32]
    means: Array
    counts: NDArray[np.int64]
    centres: Array
    found: Nearest

    def far(self) -> NDArray[np.int64]:
        """Return the ranks of the pixels beyond the distance."""
        return np.flatnonzero(self.labels < 0)

    def nearest(self) -> NDArray[np.int32]:
        """Return the centre of every pixel, however far."""
        return np.maximum(self.labels, ~self.labels)


def assign(
    pixels: Pixels | TensorPixels,
    centres: Array,
    distance: float | Array,
    *,
    first_within: bool = False,
    keep: bool = False,
    groups: NDArray[np.int32] | None = None,
    n_threads: int | None = None,
) -> Assignment:
    """Assign every pixel to its nearest centre (C, E), C >= 1, or to the first within `distance`.

    The distance is one for all or (C,) one for each. `keep` lets `extend` go on from the result.
    With `groups` (C,) the group of a pixel's centre is that of the nearest, and so is whether it is
    within the distance, one for each group; the centre may be another one of it.

    Raises ValueError if a coordinate is NaN or infinite, or too large for squares in float32.
    """
    reach = np.empty(len(centres), np.float32)
    reach[:] = distance
    found = pixels.to_centres(centres, reach, first_within, n_threads, keep, groups)
    if found.bad:
        raise ValueError(_fault(pixels))
    return _assignment(found, centres)


def _fault(pixels: Pixels | TensorPixels) -> str:
    """Return what is wrong with pixels whose squared distances are no numbers of float32."""
    cuts = [*range(0, len(pixels), PART), len(pixels)]
    bad, farthest = 0, 0.0
    for first, last in pairwise(cuts):
        part = pixels.take(np.arange(first, last))
        bad += int(np.count_nonzero(~np.isfinite(part).all(axis=0)))
        farthest = max(farthest, float(np.abs(part).max()))
    if not bad:
        return too_far(farthest)
    return (
        f"embedding has NaN or infinity in {bad} of {len(pixels)} points; look for a diverged "
        "network, a corrupt input image or numbers beyond float32"
    )


def too_far(farthest: float) -> str:
    """Return the sentence that refuses points this far away along an axis."""
    return (
        f"coordinates are as large as {farthest:.3g}, too large for squared distances in float32; "
        f"divide them, and parameters that are distances, until none is above {FARTHEST:g}"
    )


def extend(
    pixels: Pixels | TensorPixels,
    known: Assignment,
    new: Array,
    distance: float,
    n_threads: int | None = None,
) -> Assignment:
    """Return what `assign` to the centres of `known` and the new ones (A, E) would, in less time.

    `known` comes from `assign` with `keep` and one distance for all; it is used up.
    """
    found = pixels.join(known.found, known.centres, new, distance, n_threads)
    return _assignment(found, np.concatenate([known.centres, new]))


def _assignment(found: Nearest, centres: Array) -> Assignment:
    counts = found.counts
    means = np.where(counts[:, None] > 0, found.sums / np.maximum(counts, 1)[:, None], centres)
    return Assignment(found.labels, means.astype(np.float32), counts, centres, found)


def drop_small(pixels: Pixels | TensorPixels, found: Assignment, min_points: int) -> Assignment:
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
    return replace(found, labels=labels, means=found.means[kept], counts=found.counts[kept])


def require_finite(pixels: Pixels | TensorPixels, n_threads: int | None = None) -> None:
    """Raise ValueError if a coordinate is NaN or infinite."""
    assign(pixels, np.zeros((1, pixels.dims), np.float32), 1.0, n_threads=n_threads)
