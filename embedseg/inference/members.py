"""Pixels and the clusters they belong to: cluster means, how close pixels are, instance scores.

All work on the embedding (E, P) where it lies, in planes or pixel by pixel, for the pixels at given
places: taking the foreground out as (N, E) first costs more than everything here.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from clustering.assign import merge_centres
from clustering.base import NOISE
from clustering.jit import kernel
from clustering.nearest import assign
from clustering.pixels import rows

Floats = NDArray[np.float32]
Places = NDArray[np.int64]
Found = NDArray[np.int32]


def spread(found: Found, core: NDArray[np.bool_], places: Places) -> Found:
    """Return the clusters (N,) of the pixels at `places`: those `found` in `core`, else NOISE.

    `found` (M,) is in the order of the True pixels of `core` (*S), which all are among `places`.
    """
    out = np.full(len(places), NOISE, np.int32)
    out[core.reshape(-1)[places]] = found
    return out


def join(values: Floats, places: Places, found: Found, merge: float) -> tuple[Found, Floats]:
    """Merge clusters whose means are nearer than `merge`, give noise to the nearest mean.

    `found` (N,) holds NOISE or the cluster of each of the pixels at `places` (N,) of the embedding
    `values` (E, P). Returns the clusters (N,), free of noise, and their means (C, E); without any
    cluster `found` and no mean.
    """
    count = int(found.max(initial=NOISE)) + 1
    if count == 0:
        return found, np.empty((0, len(values)), np.float32)
    sums, counts = np.zeros((count, len(values))), np.zeros(count, np.int64)
    runs = runs_of(places, found)
    if by_pixel(values):
        add_points(values.T, runs, sums, counts)
    else:
        add_up(values, runs, sums, counts)
    centres = sums / np.maximum(counts, 1)[:, None]
    if merge > 0:
        centres, counts, new_of = merge_centres(centres, counts, merge)
        found = np.where(found != NOISE, new_of[found], NOISE).astype(np.int32)
    means = centres.astype(np.float32)
    noise = np.flatnonzero(found == NOISE)
    if len(noise):
        found, lost = found.copy(), places[noise]
        points = values.T[lost] if by_pixel(values) else values[:, lost].T
        found[noise] = assign(rows(points), means, np.inf, n_threads=1).labels
    return found, means


def by_pixel(values: Floats) -> bool:
    """Tell whether the coordinates of each pixel of (E, P) lie side by side."""
    return values.T.flags.c_contiguous and not values.flags.c_contiguous


def runs_of(places: Places, found: Found) -> NDArray[np.int64]:
    """Return the runs (R, 4) of pixels of one cluster side by side, without noise.

    A row is the run's first place, its last place + 1, its first pixel of the N, its cluster.
    """
    runs = np.empty((len(places), 4), np.int64)
    return runs[: find_runs(places, found, runs)]


@kernel
def find_runs(places: Any, found: Any, runs: Any) -> int:
    """Write what `runs_of` returns into runs (N, 4); return how many there are."""
    count, index = 0, 0
    while index < len(places):
        first, label = index, found[index]
        index += 1
        while (
            index < len(places) and found[index] == label and places[index] == places[index - 1] + 1
        ):
            index += 1
        if label >= 0:
            runs[count, 0], runs[count, 1] = places[first], places[index - 1] + 1
            runs[count, 2], runs[count, 3] = first, label
            count += 1
    return count


@kernel
def add_up(values: Any, runs: Any, sums: Any, counts: Any) -> None:
    """Add the vectors of each cluster's pixels to sums (C, E), their numbers to counts (C,)."""
    for r in range(len(runs)):
        counts[runs[r, 3]] += runs[r, 1] - runs[r, 0]
    for axis in range(len(values)):
        row = values[axis]
        for r in range(len(runs)):
            total = 0.0
            pixels = row[runs[r, 0] : runs[r, 1]]
            for i in range(len(pixels)):
                total += pixels[i]
            sums[runs[r, 3], axis] += total


@kernel
def add_points(points: Any, runs: Any, sums: Any, counts: Any) -> None:
    """Do what `add_up` does for vectors (P, E)."""
    for r in range(len(runs)):
        total = sums[runs[r, 3]]
        counts[runs[r, 3]] += runs[r, 1] - runs[r, 0]
        for pixel in range(runs[r, 0], runs[r, 1]):
            point = points[pixel]
            for axis in range(len(point)):
                total[axis] += point[axis]


def closeness_to(
    means: Floats, values: Floats, places: Places, found: Found, scale: float
) -> Floats:
    """Return exp(-(|e_p - mean of p's cluster| / scale)^2 / 2) for each of the pixels (N,)."""
    squared, runs = np.zeros(len(places), np.float32), runs_of(places, found)
    if by_pixel(values):
        gaps_to_points(means, values.T, runs, squared)
    else:
        gaps_to(np.ascontiguousarray(means.T), values, runs, squared)
    close: Floats = np.exp(squared * np.float32(-0.5 / scale**2))
    return close


@kernel
def gaps_to(means: Any, values: Any, runs: Any, squared: Any) -> None:
    """Add to squared (N,) the squared distances of the pixels to their means (E, C)."""
    for axis in range(len(values)):
        row, mean = values[axis], means[axis]
        for r in range(len(runs)):
            middle = mean[runs[r, 3]]
            pixels, out = row[runs[r, 0] : runs[r, 1]], squared[runs[r, 2] :]
            for i in range(len(pixels)):
                gap = pixels[i] - middle
                out[i] += gap * gap


@kernel
def gaps_to_points(means: Any, points: Any, runs: Any, squared: Any) -> None:
    """Do what `gaps_to` does for vectors (P, E) and means (C, E)."""
    for r in range(len(runs)):
        middle = means[runs[r, 3]]
        for i in range(runs[r, 1] - runs[r, 0]):
            point, total = points[runs[r, 0] + i], np.float32(0)
            for axis in range(len(point)):
                gap = point[axis] - middle[axis]
                total += gap * gap
            squared[runs[r, 2] + i] += total


def instance_scores(
    labels: Found, probability: Floats | None, closeness: Floats
) -> dict[int, float]:
    """Return each instance's mean foreground probability times its mean closeness to its centre.

    Both are in [0, 1]; a given foreground counts as probability 1. This is the package's own
    definition: the papers give no confidence to an instance of this method.
    """
    flat = np.ascontiguousarray(labels, np.int32).reshape(-1)
    count = int(flat.max(initial=0)) + 1
    sums, sizes = np.zeros((2, count)), np.zeros(count, np.int64)
    given = closeness if probability is None else probability
    add_scores(flat, given.reshape(-1), closeness.reshape(-1), sums, sizes)
    scores = sums[1] / np.maximum(sizes, 1)
    if probability is not None:
        scores = scores * sums[0] / np.maximum(sizes, 1)
    return {int(i): float(scores[i]) for i in np.flatnonzero(sizes) if i > 0}


@kernel
def add_scores(labels: Any, probability: Any, closeness: Any, sums: Any, sizes: Any) -> None:
    """Add to sums (2, C) both maps (P,) over the pixels of each id, their number to sizes (C,)."""
    for index in range(len(labels)):
        label = labels[index]
        if label > 0:
            sizes[label] += 1
            sums[0, label] += probability[index]
            sums[1, label] += closeness[index]
