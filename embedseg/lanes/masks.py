"""From polylines to instance masks: every lane a stroke of one width, none lost to another's order.

A pixel belongs to the lane whose polyline is nearest to its centre, if that is at most `width` / 2
away; of equally near lanes to the first. So where lanes meet at the horizon each keeps its own
side, whatever the order. Strokes are cut at the border of the image, with nothing added or lost.
"""

import numpy as np
from numpy.typing import NDArray

from embedseg.jit import kernel
from embedseg.lanes.polylines import Lanes, Size, resized


def draw_lanes(lanes: Lanes, size: Size | None = None, *, width: float = 5.0) -> NDArray[np.int32]:
    """Return label image (H, W) of the lanes, background 0, each lane its number in `lanes.ids`.

    `size`: the working size; the lanes are resized to it (default: their own). `width` in pixels of
    the working size, ends are round; a lane of one point is a disc. All lanes are drawn, also parts
    outside the picture as far as their stroke reaches in. Ids must be >= 1.
    """
    if width <= 0:
        raise ValueError(f"width must be > 0 pixels of the working size, got {width}; use about 5")
    if min(lanes.ids, default=1) < 1:
        raise ValueError(f"lane ids must be >= 1 to be labels, got {min(lanes.ids)}")
    placed = lanes if size is None or lanes.size is None else resized(lanes, size)
    labels = np.zeros(size or lanes.known_size, np.int32)
    if not len(placed):
        return labels
    segments = np.concatenate([_segments(lane) for lane in placed.points])
    counts = [max(len(lane) - 1, 1) for lane in placed.points]
    _draw(labels, segments, np.repeat(np.array(placed.ids, np.int32), counts), width / 2)
    return labels


def _segments(lane: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (n - 1, 4) of x, y, x, y; a lane of one point is a segment of no length."""
    if len(lane) == 1:
        lane = np.repeat(lane, 2, axis=0)
    return np.concatenate([lane[:-1], lane[1:]], axis=1)


@kernel
def _draw(  # type: ignore[no-untyped-def]
    labels, segments, ids, radius
):
    """Write ids into labels where a segment is nearest, at most radius away."""
    height, width = labels.shape
    nearest = np.full(labels.shape, radius * radius + 1e-9)
    for s in range(len(segments)):
        ax, ay, bx, by = segments[s]
        dx, dy = bx - ax, by - ay
        length = dx * dx + dy * dy
        top = max(0, int(np.ceil(max(min(ay, by) - radius, -1.0))))
        bottom = min(height - 1, int(np.floor(min(max(ay, by) + radius, float(height)))))
        for y in range(top, bottom + 1):
            # the part of the segment that can reach this row bounds the columns
            low, high = ax, bx
            if dy != 0.0:
                first = min(max((y - radius - ay) / dy, 0.0), 1.0)
                last = min(max((y + radius - ay) / dy, 0.0), 1.0)
                low, high = ax + first * dx, ax + last * dx
            if low > high:
                low, high = high, low
            left = max(0, int(np.ceil(max(low - radius, -1.0))))
            right = min(width - 1, int(np.floor(min(high + radius, float(width)))))
            for x in range(left, right + 1):
                share = 0.0
                if length > 0.0:
                    share = min(max(((x - ax) * dx + (y - ay) * dy) / length, 0.0), 1.0)
                gap = (x - ax - share * dx) ** 2 + (y - ay - share * dy) ** 2
                if gap < nearest[y, x]:
                    nearest[y, x] = gap
                    labels[y, x] = ids[s]
