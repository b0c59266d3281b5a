"""Lanes of one picture, as polylines in its coordinates, and what can be done to them exactly.

A point is (x, y) in pixels, x to the right and y down; integers are the centres of pixels, so an
image of W x H covers x in [-1/2, W - 1/2] and y in [-1/2, H - 1/2]. Points may lie outside the
image; nothing here drops a lane, unless it says so.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

Points = NDArray[np.float64]  # (n, 2) of x, y
Size = tuple[int, int]  # (H, W)


@dataclass(frozen=True, eq=False)
class Lanes:
    """The lanes of one picture; nobody writes into the arrays.

    `points`: for each lane (n, 2) of x, y with n >= 1; `size` (H, W) of the picture, None where a
    label file does not tell; `name`: the picture's path as its data set writes it; `ids`: one
    number for each lane (1, 2, ... if not given), the same over the frames of a drive; `time` in
    seconds from the beginning of the drive.
    """

    points: tuple[Points, ...] = ()
    size: Size | None = None
    name: str = ""
    ids: tuple[int, ...] = ()
    time: float | None = None

    def __post_init__(self) -> None:
        for index, lane in enumerate(self.points):
            if lane.ndim != 2 or lane.shape[1] != 2 or not len(lane) or lane.dtype != np.float64:
                raise ValueError(
                    f"lane {index} of {self.name!r} must be (n, 2) float64 with n >= 1, got "
                    f"{lane.shape} {lane.dtype}; make lanes with embedseg.lanes.lanes_of"
                )
        if not self.ids:
            object.__setattr__(self, "ids", tuple(range(1, len(self.points) + 1)))
        if len(self.ids) != len(self.points):
            raise ValueError(f"{len(self.ids)} ids were given for {len(self.points)} lanes")

    def __len__(self) -> int:
        return len(self.points)

    @property
    def known_size(self) -> Size:
        """(H, W) of the picture; ValueError where it is not known."""
        if self.size is None:
            raise ValueError(
                f"the picture's size of {self.name!r} is not known; give it with the lanes"
            )
        return self.size


def lanes_of(lanes: Iterable[ArrayLike], size: Size | None = None, name: str = "") -> Lanes:
    """Return `Lanes` from sequences of (x, y); lanes without any point are left out.

    Raises ValueError for points that are not finite pairs of numbers.
    """
    checked = (_points(lane, index) for index, lane in enumerate(lanes))
    return Lanes(tuple(lane for lane in checked if len(lane)), size, name)


def _points(lane: ArrayLike, index: int) -> Points:
    points = np.array(lane, dtype=np.float64)
    if not points.size:
        return np.zeros((0, 2))
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f"lane {index} must be pairs of x, y, got an array of {points.shape}")
    if not np.isfinite(points).all():
        raise ValueError(f"lane {index} holds a coordinate that is not finite; leave the point out")
    return points


def moved(lanes: Lanes, matrix: NDArray[np.float64], size: Size) -> Lanes:
    """Return the lanes moved by `matrix`, (2, 3) affine or (3, 3) projective, into a new `size`.

    Parts of a lane that a projective matrix sends through infinity (w <= 0) are left out.
    """
    points = [transform(lane, matrix) for lane in lanes.points]
    kept = [index for index, lane in enumerate(points) if len(lane)]
    return replace(
        lanes,
        points=tuple(points[index] for index in kept),
        ids=tuple(lanes.ids[index] for index in kept),
        size=size,
    )


def transform(points: Points, matrix: NDArray[np.float64]) -> Points:
    """Return points moved by a (2, 3) or (3, 3) matrix; those with w <= 0 are left out."""
    full = np.asarray(matrix, np.float64)
    if full.shape not in ((2, 3), (3, 3)):
        raise ValueError(f"matrix must be (2, 3) or (3, 3), got {full.shape}")
    out = np.c_[points, np.ones(len(points))] @ full.T
    if len(full) == 2:
        return np.asarray(out)
    out = out[out[:, 2] > 0]
    return np.asarray(out[:, :2] / out[:, 2:])


def resized(lanes: Lanes, size: Size) -> Lanes:
    """Return the lanes as they lie in the picture resized to `size` (H, W)."""
    return moved(lanes, resize_matrix(lanes.known_size, size), size)


def resize_matrix(old: Size, new: Size) -> NDArray[np.float64]:
    """Return the (2, 3) matrix of resizing: x goes to (x + 1/2) f - 1/2, f = new / old."""
    fy, fx = new[0] / old[0], new[1] / old[1]
    return np.array([[fx, 0.0, 0.5 * fx - 0.5], [0.0, fy, 0.5 * fy - 0.5]])


def clipped(lanes: Lanes) -> Lanes:
    """Return the lanes with both ends cut at the border of the picture.

    A lane that leaves the picture and comes back stays one lane, the excursion included. Lanes
    that lie outside altogether are left out.
    """
    height, width = lanes.known_size
    low, high = np.array([-0.5, -0.5]), np.array([width - 0.5, height - 0.5])
    cut = [_cut_start(_cut_start(lane, low, high)[::-1], low, high)[::-1] for lane in lanes.points]
    kept = [index for index, lane in enumerate(cut) if len(lane)]
    ids = tuple(lanes.ids[index] for index in kept)
    return replace(lanes, points=tuple(cut[index] for index in kept), ids=ids)


def _cut_start(lane: Points, low: Points, high: Points) -> Points:
    """Return the lane from where it first enters the box on; none of it if it never does."""
    if len(lane) == 1:
        return lane[(lane >= low).all(axis=1) & (lane <= high).all(axis=1)]
    for index in range(len(lane) - 1):
        start, step = lane[index], lane[index + 1] - lane[index]
        enter = _entry(start, step, low, high)
        if enter is not None:
            first = start + enter * step
            return np.vstack([first, lane[index + 1 :]])
    return lane[:0]


def _entry(start: Points, step: Points, low: Points, high: Points) -> float | None:
    """Return the share of the way at which a segment enters the box, None if it does not."""
    enter, leave = 0.0, 1.0
    for axis in (0, 1):
        if step[axis] == 0:
            if not low[axis] <= start[axis] <= high[axis]:
                return None
            continue
        ends = sorted(
            [(low[axis] - start[axis]) / step[axis], (high[axis] - start[axis]) / step[axis]]
        )
        enter, leave = max(enter, ends[0]), min(leave, ends[1])
    return enter if enter < leave else None


def at_rows(lane: Points, rows: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Return x of the lane at each row, NaN above and below its extent.

    The points are taken in the order of y; several in one row count as their mean.
    """
    y, group = np.unique(lane[:, 1], return_inverse=True)
    x = np.bincount(group, lane[:, 0]) / np.bincount(group)
    return np.interp(np.asarray(rows, np.float64), y, x, left=np.nan, right=np.nan)
