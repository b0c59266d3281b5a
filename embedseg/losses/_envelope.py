"""Exact Euclidean distance transform of a plane: column distances, then an envelope of parabolas.

The lower envelope of the parabolas (x - v)^2 sx^2 + c(v) is that of Felzenszwalb & Huttenlocher
(Theory of Computing 8, 2012). Two observations make it fast for many classes: columns without a
pixel of the class carry no parabola, and the distances inside all classes are one transform.
"""

import numpy as np
from numpy.typing import NDArray

from embedseg.jit import kernel

Line = NDArray[np.float32]
Plane = NDArray[np.float32]
Labels = NDArray[np.int32]


@kernel
def _sites(
    cost: NDArray[np.float64],
    bounds: tuple[int, int],
    seen: tuple[int, int],
    sx: float,
    site: NDArray[np.int64],
    start: NDArray[np.float64],
) -> int:
    """Build the lower envelope of the finite `cost[first..last]`; return its number of parabolas.

    Parabola i stands at `site[i]` and is the lowest from `start[i]` on. Those that are lowest
    outside the pixels `seen` alone, first and last, are left out early.
    """
    top = -1
    half = 0.5 / (sx * sx)
    left, right = seen[0] - 0.5, seen[1]
    for x in range(bounds[0], bounds[1] + 1):
        here = cost[x]
        if here == np.inf:
            continue
        cross = left
        while top >= 0:
            v = site[top]
            cross = half * (here - cost[v]) / (x - v) + 0.5 * (x + v)
            if cross > start[top]:
                break
            top -= 1
            cross = left
        if cross < right or top < 0:
            top += 1
            site[top] = x
            start[top] = cross
    return top + 1


@kernel
def _read(
    cost: NDArray[np.float64],
    where: Line,
    site: NDArray[np.int64],
    start: NDArray[np.float64],
    count: int,
    first: int,
    out: Line,
) -> None:
    """Write the root of the envelope of `count` parabolas to `out`, whose first pixel is `first`.

    `where[x]` is x * sx. The root is float32, as the maps are.
    """
    x = first
    stop = first + out.size
    for i in range(count):
        end = stop
        if i + 1 < count and start[i + 1] < stop - 1:
            end = max(x, int(np.floor(start[i + 1])) + 1)
        origin = where[site[i]]
        level = np.float32(cost[site[i]])
        places = where[x:end]
        line = out[x - first : end - first]
        for j in range(line.size):
            step = places[j] - origin
            line[j] = np.sqrt(step * step + level)
        x = end


@kernel
def column_extents(labels: Labels, size: int) -> NDArray[np.int64]:
    """Return the (size, 2) first and last column of each label; last < first where absent."""
    extents = np.empty((size, 2), np.int64)
    extents[:, 0] = labels.shape[1]
    extents[:, 1] = -1
    for line in labels:
        for x in range(line.size):
            label = line[x]
            if 0 <= label < size:
                extents[label, 0] = min(extents[label, 0], x)
                extents[label, 1] = max(extents[label, 1], x)
    return extents


@kernel
def outside_distances(
    labels: Labels, value: int, bounds: tuple[int, int], sy: float, sx: float, out: Plane
) -> None:
    """Write to `out` (H, W) the distance of every pixel to the nearest one equal to `value`.

    `bounds` are the first and last column that have such a pixel.
    """
    height, width = labels.shape
    first, last = bounds
    far = np.int32(height + 1)
    steps = np.empty((height, last + 1 - first), np.int32)
    run = np.full(last + 1 - first, far, np.int32)
    for y in range(height):
        line = labels[y, first : last + 1]
        above = steps[y]
        for j in range(run.size):
            run[j] = 0 if line[j] == value else run[j] + 1
            above[j] = run[j]
    where = (np.arange(width) * sx).astype(np.float32)
    cost = np.full(width, np.inf)
    site = np.empty(width, np.int64)
    start = np.empty(width, np.float64)
    run[:] = far
    for y in range(height - 1, -1, -1):
        above = steps[y]
        heights = cost[first : last + 1]
        for j in range(run.size):
            run[j] = min(above[j], run[j] + 1)
            heights[j] = (sy * run[j]) * (sy * run[j]) if run[j] < far else np.inf
        count = _sites(cost, bounds, (0, width - 1), sx, site, start)
        _read(cost, where, site, start, count, 0, out[y])


@kernel
def _column_runs(labels: Labels) -> NDArray[np.int32]:
    """Return the steps up or down the column to the nearest other label; H + 1 or more for none."""
    height, width = labels.shape
    steps = np.full((height, width), height + 1, np.int32)
    for y in range(height):
        for x in range(width):
            if y > 0:
                same = labels[y - 1, x] == labels[y, x]
                steps[y, x] = steps[y - 1, x] + 1 if same else 1
    for y in range(height - 2, -1, -1):
        for x in range(width):
            same = labels[y + 1, x] == labels[y, x]
            steps[y, x] = min(steps[y, x], steps[y + 1, x] + 1 if same else 1)
    return steps


@kernel
def inside_distances(
    labels: Labels,
    rows: NDArray[np.int32],
    sy: float,
    sx: float,
    signed: bool,
    maps: NDArray[np.float32],
) -> None:
    """Write to the pixels of each class their distance to the nearest pixel of another label.

    `rows[label]` is the map that a label's pixels are written to, -1 for none. `signed` turns the
    distance d into min(sy, sx) - d.
    """
    height, width = labels.shape
    steps = _column_runs(labels)
    where = (np.arange(width) * sx).astype(np.float32)
    cost = np.empty(width, np.float64)
    site = np.empty(width, np.int64)
    start = np.empty(width, np.float64)
    for y in range(height):
        for x in range(width):
            cost[x] = (sy * steps[y, x]) ** 2 if steps[y, x] <= height else np.inf
        first = 0
        while first < width:
            label = labels[y, first]
            last = first
            while last + 1 < width and labels[y, last + 1] == label:
                last += 1
            if label >= 0 and rows[label] >= 0:
                low, high = max(first - 1, 0), min(last + 1, width - 1)
                left, right = cost[low], cost[high]
                cost[low] = 0.0 if low < first else left
                cost[high] = 0.0 if high > last else right
                count = _sites(cost, (low, high), (first, last), sx, site, start)
                out = maps[rows[label], y, first : last + 1]
                _read(cost, where, site, start, count, first, out)
                cost[low], cost[high] = left, right
                for j in range(out.size if signed else 0):
                    out[j] = min(sy, sx) - out[j]
            first = last + 1
