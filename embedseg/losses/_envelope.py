"""Lower envelope of parabolas (x - v)^2 sx^2 + c(v): a row of an exact distance transform.

Algorithm: Felzenszwalb & Huttenlocher, Theory of Computing 8 (2012).
"""

import numpy as np
from numpy.typing import NDArray

from embedseg.jit import kernel

Line = NDArray[np.float32]
Room = tuple[Line, NDArray[np.float64], NDArray[np.float64], NDArray[np.int32]]


@kernel
def room(width: int, sx: float) -> Room:
    """Return the places x * sx of a row, and room for its parabolas: `cost`, `start`, `kept`."""
    where = (np.arange(width) * sx).astype(np.float32)
    cost, start = np.empty(width, np.float64), np.empty(width, np.float64)
    return where, cost, start, np.empty(width, np.int32)


@kernel
def lowest(
    places: NDArray[np.int32],
    cost: NDArray[np.float64],
    size: int,
    seen: tuple[int, int],
    sx: float,
    kept: NDArray[np.int32],
    start: NDArray[np.float64],
) -> int:
    """Build the lower envelope of the parabolas i < `size` at `places[i]`, all of finite `cost[i]`.

    The places grow. Return the number of parabolas on the envelope: number n of them is `kept[n]`,
    the lowest from `start[n]` on. Those that are lowest outside the pixels `seen` alone, first and
    last, are left out.
    """
    top = -1
    half = 0.5 / (sx * sx)
    left, right = seen[0] - 0.5, seen[1]
    for i in range(size):
        cross = left
        while top >= 0:
            other = kept[top]
            x, v = places[i], places[other]
            cross = half * (cost[i] - cost[other]) / (x - v) + 0.5 * (x + v)
            if cross > start[top]:
                break
            top -= 1
            cross = left
        if cross < right or top < 0:
            top += 1
            kept[top] = i
            start[top] = cross
    return top + 1


@kernel
def write_roots(
    places: NDArray[np.int32],
    cost: NDArray[np.float64],
    kept: NDArray[np.int32],
    start: NDArray[np.float64],
    count: int,
    where: Line,
    first: int,
    out: Line,
) -> None:
    """Write the root of the envelope of `count` parabolas to `out`, whose first pixel is `first`.

    `where[x]` is x * sx. The root is float32, as the maps are.
    """
    x = first
    stop = first + out.size
    for n in range(count):
        end = stop
        if n + 1 < count and start[n + 1] < stop - 1:
            end = max(x, int(np.floor(start[n + 1])) + 1)
        origin = where[places[kept[n]]]
        level = np.float32(cost[kept[n]])
        part = where[x:end]
        line = out[x - first : end - first]
        for j in range(line.size):
            step = part[j] - origin
            line[j] = np.sqrt(step * step + level)
        x = end
