"""Connected pieces of a mask (H, W), by the runs of its rows.

A run is a stretch of True pixels side by side. There are far fewer runs than pixels, so that what
is asked of pieces costs little more than one look at the mask. Each run has a parent, an earlier
run of its piece or itself; the first run of a piece is its root.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from embedseg.jit import fast_helper, kernel

Runs = NDArray[np.int32]
Mask = NDArray[np.bool_]


def row_runs(mask: Mask, *, corners: bool) -> tuple[Runs, Runs]:
    """Return the runs (R, 3) of a mask (H, W) and the root (R,) of each.

    A run is its row, its first column and its last column + 1; they are in C order. Pieces hold
    together through faces and, if `corners`, through corners.
    """
    starts = np.count_nonzero(mask[:, 1:] > mask[:, :-1]) + np.count_nonzero(mask[:, :1])
    runs, roots = np.empty((starts, 3), np.int32), np.empty(starts, np.int32)
    find_runs(np.ascontiguousarray(mask), int(corners), runs, roots)
    return runs, roots


@kernel
def find_runs(mask: Any, reach: int, runs: Any, roots: Any) -> None:
    """Write what `row_runs` returns into runs and roots.

    Runs of neighbouring rows touch if one of them, made `reach` columns longer at both ends, shares
    a column with the other.
    """
    width = mask.shape[1]
    above, count = 0, 0  # the first run of the row before, all runs so far
    for row in range(len(mask)):
        begin, column = count, 0
        other = above
        while column < width:
            if not mask[row, column]:
                column += 1
                continue
            first = column
            while column < width and mask[row, column]:
                column += 1
            runs[count, 0], runs[count, 1], runs[count, 2] = row, first, column
            roots[count] = count
            while other < begin and runs[other, 2] + reach <= first:
                other += 1
            touched = other
            while touched < begin and runs[touched, 1] < column + reach:
                unite(roots, touched, count)
                touched += 1
            other = max(touched - 1, other)  # the last one may touch the next run as well
            count += 1
        above = begin
    for run in range(count):  # a parent comes first, so it has its root already
        roots[run] = roots[roots[run]]


@fast_helper
def unite(roots: Any, a: int, b: int) -> None:
    """Make the pieces of the runs a and b one, under the root that comes first."""
    a, b = root_of(roots, a), root_of(roots, b)
    roots[max(a, b)] = min(a, b)


@fast_helper
def root_of(roots: Any, run: int) -> int:
    """Return the root of a run, and halve the way there."""
    while roots[run] != run:
        roots[run] = roots[roots[run]]
        run = roots[run]
    return run


@kernel
def fill_enclosed(labels: Any, runs: Any, roots: Any) -> None:
    """Fill in labels (H, W) the pieces of background that one instance alone encloses.

    The runs are those of the background. A piece at the border of the picture is not enclosed.
    """
    lowest = np.full(len(runs), np.iinfo(np.int64).max)
    highest = np.full(len(runs), np.iinfo(np.int64).min)
    for run in range(len(runs)):
        if at_border(labels, runs[run]):
            lowest[roots[run]] = 0
    for run in range(len(runs)):
        root = roots[run]
        if lowest[root] != 0:
            low, high = beside(labels, runs[run])
            lowest[root], highest[root] = min(lowest[root], low), max(highest[root], high)
    for run in range(len(runs)):
        label = lowest[roots[run]]
        if 0 < label == highest[roots[run]]:
            labels[runs[run, 0], runs[run, 1] : runs[run, 2]] = label


@fast_helper
def at_border(labels: Any, run: Any) -> Any:
    """Tell whether a run touches the border of labels (H, W)."""
    height, width = labels.shape
    return run[0] == 0 or run[0] == height - 1 or run[1] == 0 or run[2] == width


@fast_helper
def beside(labels: Any, run: Any) -> tuple[int, int]:
    """Return the lowest and the highest label, not 0, that touches a run inside labels (H, W)."""
    row, first, end = run
    low = min(labels[row, first - 1], labels[row, end])
    high = max(labels[row, first - 1], labels[row, end])
    for near in (row - 1, row + 1):
        for column in range(first, end):
            if labels[near, column] != 0:
                low, high = min(low, labels[near, column]), max(high, labels[near, column])
    return low, high


@kernel
def tally(mask: Any, runs: Any, roots: Any) -> Any:
    """Return (2, R): the pixels of each root's piece, and those of them True in mask (H, W)."""
    counts = np.zeros((2, len(runs)), np.int64)
    for run in range(len(runs)):
        row, first, end = runs[run]
        counts[0, roots[run]] += end - first
        for column in range(first, end):
            counts[1, roots[run]] += mask[row, column]
    return counts


@kernel
def paint(mask: Any, runs: Any, chosen: Any) -> None:
    """Make the pixels of the chosen (R,) runs True in mask (H, W)."""
    for run in range(len(runs)):
        if chosen[run]:
            mask[runs[run, 0], runs[run, 1] : runs[run, 2]] = True
