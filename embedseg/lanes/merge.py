"""Which fragments continue each other: pieces of one lane that was broken by a car or a long gap.

An upper and a lower fragment belong together if one gentle bend leads from the end of the one to
the beginning of the other. With the ends (x1, y1), (x2, y2) and the slopes dx/dy there, s1 and s2,
a parabola fits all four exactly if

    (x2 - x1) - (y2 - y1) (s1 + s2) / 2 = 0,

so this miss, measured across the lane, must be small, the two directions must be alike, and the gap
must be short against what is seen of the two.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from embedseg.lanes.polylines import Points

MISS = 0.008  # of the image's width; the largest miss across the lane
TURN = 15.0  # degrees; the largest difference of direction
GAP = 1.5  # times the height of the two fragments together; the longest gap
OVERLAP = 0.02  # of the image's height; how far the ends may overlap
FOOT = 0.08  # of the image's height; the part of a fragment that tells its slope at the end


class _End(NamedTuple):
    x: float
    y: float
    slope: float


def continuations(lanes: Sequence[Points], size: tuple[int, int]) -> list[list[int]]:
    """Return groups of indices of lanes that are one, each from top to bottom; most are of one.

    A fragment is joined to the nearest one below that it leads to, and to one only. Points must be
    in the order of y; `size` (H, W) of the image.
    """
    tall = [i for i, lane in enumerate(lanes) if len(lane) > 2]
    starts = {i: _end(lanes[i], size[0]) for i in tall}
    ends = {i: _end(lanes[i][::-1], size[0]) for i in tall}
    gaps = {
        (a, b): starts[b].y - ends[a].y
        for a in tall
        for b in tall
        if a != b and starts[b].y - ends[a].y > -OVERLAP * size[0] and starts[b].y > starts[a].y
    }
    below: dict[int, int] = {}
    for a, b in sorted(gaps, key=gaps.__getitem__):
        seen = (ends[a].y - starts[a].y) + (ends[b].y - starts[b].y)
        free = a not in below and b not in below.values()
        if free and gaps[a, b] <= GAP * seen and _leads(ends[a], starts[b], size[1]):
            below[a] = b
    return [_chain(i, below) for i in range(len(lanes)) if i not in below.values()]


def _end(lane: Points, height: int) -> _End:
    """Return the first point of a lane and the slope there, from a straight line near it."""
    near = lane[np.abs(lane[:, 1] - lane[0, 1]) <= FOOT * height]
    near = near if len(near) > 2 else lane[:3]
    dy = near[:, 1] - near[:, 1].mean()
    slope = float(dy @ near[:, 0] / max(float(dy @ dy), 1e-12))
    return _End(float(lane[0, 0]), float(lane[0, 1]), slope)


def _leads(upper: _End, lower: _End, width: int) -> bool:
    """Return whether a gentle bend leads from one end to the other."""
    mean = (upper.slope + lower.slope) / 2.0
    miss = abs((lower.x - upper.x) - (lower.y - upper.y) * mean) / np.hypot(1.0, mean)
    turn = abs(np.degrees(np.arctan(upper.slope) - np.arctan(lower.slope)))
    return bool(miss <= MISS * width and turn <= TURN)


def _chain(first: int, below: dict[int, int]) -> list[int]:
    chain = [first]
    while chain[-1] in below:
        chain.append(below[chain[-1]])
    return chain
