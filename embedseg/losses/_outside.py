"""Distance of every pixel to the nearest pixel of a class, for all classes of a label image.

A pixel of the class is the nearest one along a stretch of a row, which may be empty. The cell of
the points it is nearest to is convex and holds the pixel: once a row away from it does not meet the
cell, no row farther away does. So a row need only ask the pixels that were nearest somewhere in the
row before it, coming from above and coming from below, and not every column.
"""

import numpy as np
from numpy.typing import NDArray

from embedseg.jit import kernel
from embedseg.losses._envelope import lowest, room, write_roots

Labels = NDArray[np.int32]
Numbers = NDArray[np.int32]
Plane = NDArray[np.float32]


@kernel
def class_runs(labels: Labels, size: int) -> tuple[Numbers, NDArray[np.int64]]:
    """Return the runs of equal labels along rows, those of label 0 first, then of 1, ... size - 1.

    The first array is (R, 3): row, first and last column, from above and the left; the second
    (size + 1,): runs of label k are `begin[k]` to `begin[k + 1]`. Other labels have none.
    """
    height, width = labels.shape
    begin = np.zeros(size + 1, np.int64)
    for line in labels:
        for x in range(width):
            if (x == 0 or line[x] != line[x - 1]) and 0 <= line[x] < size:
                begin[line[x] + 1] += 1
    begin = np.cumsum(begin)
    free = begin[:-1].copy()
    runs = np.empty((begin[size], 3), np.int32)
    for y in range(height):
        line = labels[y]
        first = 0
        for x in range(1, width + 1):
            if x == width or line[x] != line[first]:
                if 0 <= line[first] < size:
                    run = runs[free[line[first]]]
                    run[0], run[1], run[2] = y, first, x - 1
                    free[line[first]] += 1
                first = x
    return runs, begin


@kernel
def _candidates(
    runs: Numbers, places: Numbers, rows: Numbers, size: int, to_places: Numbers, to_rows: Numbers
) -> int:
    """Write the `size` old pixels of columns without a run, and the ends of the runs, in order.

    `runs` are those of one row. A pixel is a column in `places` and its row. Return their number.
    """
    count, i = 0, 0
    for run in runs:
        while i < size and places[i] < run[1]:
            to_places[count], to_rows[count] = places[i], rows[i]
            count, i = count + 1, i + 1
        while i < size and places[i] <= run[2]:
            i += 1
        to_places[count], to_rows[count] = run[1], run[0]
        count += 1
        if run[2] > run[1]:
            to_places[count], to_rows[count] = run[2], run[0]
            count += 1
    while i < size:
        to_places[count], to_rows[count] = places[i], rows[i]
        count, i = count + 1, i + 1
    return count


@kernel
def _joined(
    y: int,
    one: tuple[Numbers, Numbers],
    size: int,
    other: tuple[Numbers, Numbers],
    to: tuple[Numbers, Numbers],
) -> int:
    """Write the `size` pixels of `one` and all of `other` in order; of one column, the nearer to y.

    Return their number.
    """
    count, i, j = 0, 0, 0
    while i < size or j < other[0].size:
        if j == other[0].size or (i < size and one[0][i] < other[0][j]):
            to[0][count], to[1][count] = one[0][i], one[1][i]
            i += 1
        elif i == size or other[0][j] < one[0][i]:
            to[0][count], to[1][count] = other[0][j], other[1][j]
            j += 1
        else:
            to[0][count] = one[0][i]
            nearer = abs(one[1][i] - y) <= abs(other[1][j] - y)
            to[1][count] = one[1][i] if nearer else other[1][j]
            i, j = i + 1, j + 1
        count += 1
    return count


@kernel
def _carried(
    y: int,
    side: int,
    runs: Numbers,
    from_: tuple[Numbers, Numbers],
    kept: Numbers,
    count: int,
    to: tuple[Numbers, Numbers],
) -> int:
    """Write the pixels that the next row must ask, in order; return their number.

    They are those of the envelope that lie above row y (`side` -1) or below it (1), and all of the
    runs of row y.
    """
    size, r = 0, 0
    for k in kept[:count]:
        x, row = from_[0][k], from_[1][k]
        if row != y:
            if (row > y) == (side > 0):
                to[0][size], to[1][size] = x, row
                size += 1
        elif r < len(runs) and x == runs[r, 1]:
            for place in range(x, runs[r, 2] + 1):
                to[0][size], to[1][size] = place, y
                size += 1
            r += 1
    return size


@kernel
def _from_above(
    runs: Numbers,
    first: NDArray[np.int64],
    width: int,
    steps: tuple[float, float],
    memory: tuple[Numbers, Numbers],
) -> NDArray[np.int64]:
    """Write to `memory` what every row asks above it; the part of row y is `begin[y: y + 2]`."""
    height = first.size - 1
    sy, sx = steps
    old = np.empty(width, np.int32), np.empty(width, np.int32)
    new = np.empty(width, np.int32), np.empty(width, np.int32)
    _, cost, start, kept = room(width, sx)
    begin = np.zeros(height + 1, np.int64)
    size = 0
    for y in range(height):
        here = runs[first[y] : first[y + 1]]
        total = _candidates(here, old[0], old[1], size, new[0], new[1])
        for i in range(total):
            cost[i] = (sy * (y - new[1][i])) ** 2
        count = lowest(new[0], cost, total, (0, width - 1), sx, kept, start)
        size = _carried(y, -1, here, new, kept, count, old)
        free = begin[y]
        for k in kept[:count]:
            if new[1][k] < y:
                memory[0][free], memory[1][free] = new[0][k], new[1][k]
                free += 1
        begin[y + 1] = free
    return begin


@kernel
def outside_distances(
    runs: Numbers,
    steps: tuple[float, float],
    memory: tuple[Numbers, Numbers],
    out: Plane,
) -> None:
    """Write to `out` (H, W) the distance of each pixel to the nearest one in the `runs` of a class.

    `steps` are the sizes of a pixel down and across, `memory` two arrays of H * W numbers to work
    in.
    """
    height, width = out.shape
    sy, sx = steps
    first = np.zeros(height + 1, np.int64)  # of the runs, per row
    for run in runs:
        first[run[0] + 1] += 1
    first = np.cumsum(first)
    begin = _from_above(runs, first, width, steps, memory)
    where, cost, start, kept = room(width, sx)
    old = np.empty(width, np.int32), np.empty(width, np.int32)
    new = np.empty(width, np.int32), np.empty(width, np.int32)
    both = np.empty(width, np.int32), np.empty(width, np.int32)
    size = 0
    for y in range(height - 1, -1, -1):
        here = runs[first[y] : first[y + 1]]
        above = memory[0][begin[y] : begin[y + 1]], memory[1][begin[y] : begin[y + 1]]
        total = _candidates(here, old[0], old[1], size, new[0], new[1])
        total = _joined(y, new, total, above, both)
        for i in range(total):
            cost[i] = (sy * (y - both[1][i])) ** 2
        count = lowest(both[0], cost, total, (0, width - 1), sx, kept, start)
        write_roots(both[0], cost, kept, start, count, where, 0, out[y])
        for run in here:
            out[y, run[1] : run[2] + 1] = 0.0
        size = _carried(y, 1, here, both, kept, count, old)
