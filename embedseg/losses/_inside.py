"""Distance of the pixels of all classes to the nearest pixel of another label: one transform."""

import numpy as np
from numpy.typing import NDArray

from embedseg.jit import kernel
from embedseg.losses._envelope import lowest, room, write_roots

Labels = NDArray[np.int32]


@kernel
def _column_steps(labels: Labels) -> NDArray[np.int32]:
    """Return the steps up or down the column to the nearest other label; H + 1 or more for none."""
    height, width = labels.shape
    steps = np.empty((height, width), np.int32)
    run = np.full(width, height + 1, np.int32)
    steps[0] = run
    for y in range(1, height):
        line, other, out = labels[y], labels[y - 1], steps[y]
        for x in range(width):
            run[x] = run[x] + 1 if line[x] == other[x] else 1
            out[x] = run[x]
    run[:] = height + 1
    for y in range(height - 2, -1, -1):
        line, other, out = labels[y], labels[y + 1], steps[y]
        for x in range(width):
            run[x] = run[x] + 1 if line[x] == other[x] else 1
            out[x] = min(out[x], run[x])
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
    steps = _column_steps(labels)
    where, cost, start, kept = room(width, sx)
    places = np.empty(width, np.int32)
    for y in range(height):
        line, above = labels[y], steps[y]
        first = 0
        while first < width:
            label = line[first]
            last = first
            while last + 1 < width and line[last + 1] == label:
                last += 1
            if label >= 0 and rows[label] >= 0:
                size = 0
                for x in range(max(first - 1, 0), min(last + 2, width)):
                    other = 0 if x < first or x > last else above[x]
                    places[size] = x
                    cost[size] = (sy * other) * (sy * other)
                    size += other <= height
                count = lowest(places, cost, size, (first, last), sx, kept, start)
                out = maps[rows[label], y, first : last + 1]
                write_roots(places, cost, kept, start, count, where, first, out)
                for j in range(out.size if signed else 0):
                    out[j] = min(sy, sx) - out[j]
            first = last + 1
