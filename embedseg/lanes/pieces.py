"""Pieces of an instance that cannot be one lane: two lanes in one cluster, bits far off its ends.

Cars cut a lane into pieces, so that an instance may have several; but where two lanes lie close
together, a network may also give both the same embedding. What tells them apart is the picture: a
piece that belongs to a lane lies on the lane's way. From the largest piece on, with the parabola
x = f(y) through what belongs to it so far, that goes straight on beyond its ends, another piece
belongs to it where more than half of its pixels are no farther across than

    NEAR r + CONE d,        r the lane's half width, d the distance beyond its end (or 0).

What is left is a lane of its own, found in the same way, if it has SHARE of the largest piece's
pixels, and is left out if not. Bits, pieces of less than BIT of the image, tell no direction: they
stay with a lane, for a robust fit to weigh, but for those that lie beyond its end and off its way
by more than BIT_NEAR r + BIT_CONE d, which could but bend the curve into a hook.
"""

import numpy as np
from numpy.typing import NDArray

from embedseg.jit import announce, kernel
from embedseg.lanes.robust import fit, weighted_median
from embedseg.lanes.runs import Runs, find_runs
from embedseg.lanes.stroke import slant

NEAR = 4.0  # half widths
CONE = 0.3  # of the distance beyond the end: 17 degrees, for the bend and for what is not seen
SHARE = 0.35
BIT = 1 / 2200  # of the image's pixels: at 512 x 256 a stroke 12 long and 5 wide
BIT_NEAR, BIT_CONE = 6.0, 1.0  # half widths, and 45 degrees
DEGREE = 2


def split_lanes(
    labels: NDArray[np.int32], *, min_pixels: int = 1
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return labels (h, w) in which no instance is two lanes, and whose part each number was.

    Numbers stay with the largest part of theirs; further parts, of `min_pixels` or more, get the
    numbers that follow the last one. The second array (n + 1,) has, for each number that there may
    be now, the one it was part of. Pixels that belong to no lane become 0.
    """
    runs, origin = split_runs(find_runs(labels), labels.size, min_pixels=min_pixels)
    if (origin == np.arange(len(origin))).all() and runs.pixels().sum() == (labels > 0).sum():
        return labels, origin
    out = np.zeros_like(labels)
    number = np.repeat(runs.ids, np.diff(runs.start))
    _paint(out, number, runs.row, runs.first, runs.last)
    return out, origin


def split_runs(runs: Runs, pixels: int, *, min_pixels: int = 1) -> tuple[Runs, NDArray[np.int64]]:
    """Return what `split_lanes` does for the runs of an image of so many pixels."""
    flat, least = runs.flat(), max(BIT * pixels, 1.0)
    origin = list(range(int(runs.ids[-1]) + 1 if len(runs.ids) else 1))
    number = np.repeat(runs.ids, np.diff(runs.start))
    for index, own in enumerate(runs.ids.tolist()):
        if flat[index]:
            continue
        announce(_parts)
        share = _parts(runs.of(index), least, float(min_pixels))
        if share.any():
            part = number[runs.start[index] : runs.start[index + 1]]
            part[share > 0] = share[share > 0] + len(origin) - 1
            part[share < 0] = 0
            origin += [own] * max(int(share.max()), 0)
    return runs.renumbered(number), np.array(origin)


@kernel
def _paint(labels, number, row, first, last):  # type: ignore[no-untyped-def]
    """Give the pixels of each run its number."""
    for i in range(len(number)):
        labels[row[i], first[i] : last[i] + 1] = number[i]


@kernel
def _parts(runs, least, own):  # type: ignore[no-untyped-def]
    """Return for each run (3, m) the part it belongs to: 0 the first, 1, ...; -1 none."""
    piece = _connected(runs)
    out = np.zeros(len(piece), np.int64)
    if piece.max() == 0:
        return out
    what = _measure(runs, piece)
    size = what[0]
    part_of = np.full(len(size), -1, np.int64)
    # np.int64(0), here and below: for the constant 0 numba would compile all that is called again
    part, first, largest = np.int64(0), int(np.argmax(size)), size.max()
    while True:
        part_of[first] = part
        _gather(runs, piece, what, part_of, part, least)
        rest = 0.0
        for k in range(len(size)):
            if part_of[k] < 0 and size[k] > rest:
                rest, first = size[k], k
        if rest < max(least, own, SHARE * largest):
            break
        part += 1
    for i in range(len(piece)):
        out[i] = part_of[piece[i]]
    return out


@kernel
def _connected(runs):  # type: ignore[no-untyped-def]
    """Return for each run the number of its piece: runs that touch, also by corners, are one."""
    row, first, last = runs[0], runs[1], runs[2]
    parent = np.arange(len(row))
    above = 0
    for i in range(len(row)):
        while row[above] < row[i] - 1 or (row[above] == row[i] - 1 and last[above] < first[i] - 1):
            above += 1
        j = above
        while j < i and row[j] == row[i] - 1 and first[j] <= last[i] + 1:
            a, b = _root(parent, i), _root(parent, j)
            parent[max(a, b)] = min(a, b)
            j += 1
    count = 0
    out = np.empty(len(row), np.int64)
    for i in range(len(row)):
        root = _root(parent, i)
        if root == i:
            out[i] = count
            count += 1
        else:
            out[i] = out[root]
    return out


@kernel
def _root(parent, i):  # type: ignore[no-untyped-def]
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@kernel
def _measure(runs, piece):  # type: ignore[no-untyped-def]
    """Return (3, pieces): pixels, first and last row of each piece."""
    out = np.zeros((3, piece.max() + 1))
    out[1] = np.inf
    for i in range(len(piece)):
        k = piece[i]
        out[0, k] += runs[2, i] - runs[1, i] + 1
        out[1, k] = min(out[1, k], runs[0, i])
        out[2, k] = max(out[2, k], runs[0, i])
    return out


@kernel
def _gather(runs, piece, what, part_of, part, least):  # type: ignore[no-untyped-def]
    """Give `part`, which has one piece, to those that belong to it: large ones first, then bits."""
    order = np.argsort(-what[0])
    known = False
    lane = np.empty(0)
    for k in order:
        if part_of[k] >= 0:
            continue
        bit = what[0, k] < least
        if bit and _beside(what, part_of, part, k):
            part_of[k] = part
            continue
        if not known:
            lane, known = _lane(runs, piece, part_of, part), True
        near, cone = (BIT_NEAR, BIT_CONE) if bit else (NEAR, CONE)
        if _on_way(runs, piece, k, lane, near * lane[5], cone):
            part_of[k] = part
            known = bit  # which does not change the lane


@kernel
def _beside(what, part_of, part, k):  # type: ignore[no-untyped-def]
    """Return whether piece `k` and the rows of a part overlap or touch."""
    top, bottom = np.inf, -np.inf
    for j in range(len(part_of)):
        if part_of[j] == part:
            top, bottom = min(top, what[1, j]), max(bottom, what[2, j])
    return what[2, k] >= top - 1 and what[1, k] <= bottom + 1


@kernel
def _lane(runs, piece, part_of, part):  # type: ignore[no-untyped-def]
    """Return three coefficients of the curve, first and last row, half width of a part."""
    count = 0
    row, middle, weight = np.empty(len(piece)), np.empty(len(piece)), np.empty(len(piece))
    for i in range(len(piece)):
        if part_of[piece[i]] == part:
            row[count], middle[count] = runs[0, i], (runs[1, i] + runs[2, i]) / 2.0
            weight[count] = runs[2, i] - runs[1, i] + 1
            count += 1
    row, middle, weight = row[:count], middle[:count], weight[:count]
    out = np.zeros(6)
    out[3], out[4] = row[0], row[count - 1]
    half = max((out[4] - out[3]) / 2.0, 1e-9)
    unit = np.full(count, slant(row, middle, weight))
    terms = min(DEGREE + 1, int(out[4] - out[3]) + 1)
    found = fit((row - out[3]) / half - 1.0, middle, weight, unit, np.int64(0), terms, 0.0)
    out[: len(found)] = found
    for i in range(count):
        middle[i] = weight[i] / 2.0 / np.sqrt(1.0 + _slope(row[i], out) ** 2)
    out[5] = max(weighted_median(middle, weight), 1.0)
    return out


@kernel
def _at(row, lane):  # type: ignore[no-untyped-def]
    """Return the column of the parabola at a row."""
    t = (row - lane[3]) / max((lane[4] - lane[3]) / 2.0, 1e-9) - 1.0
    return lane[0] + lane[1] * t + lane[2] * (1.5 * t * t - 0.5)


@kernel
def _slope(row, lane):  # type: ignore[no-untyped-def]
    return _at(row + 0.5, lane) - _at(row - 0.5, lane)


@kernel
def _on_way(runs, piece, k, lane, width, cone):  # type: ignore[no-untyped-def]
    """Return whether more than half of the pixels of piece `k` lie on the way of a lane.

    That is `width` wide to either side and gets `cone` wider for each pixel beyond its end.
    """
    near, total = 0, 0
    for i in range(len(piece)):
        if piece[i] == k:
            end = min(max(runs[0, i], lane[3]), lane[4])
            slope = _slope(end, lane)
            dx, dy = (runs[1, i] + runs[2, i]) / 2.0 - _at(end, lane), runs[0, i] - end
            norm = np.sqrt(1.0 + slope**2)
            beyond = max(np.sign(dy) * (dx * slope + dy) / norm, 0.0)
            pixels = runs[2, i] - runs[1, i] + 1
            total += pixels
            if abs(dx - dy * slope) / norm <= width + cone * beyond:
                near += pixels
    return 2 * near > total
