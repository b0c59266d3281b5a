"""From instances to lanes: one robust curve for each, in the coordinates of the original image.

Each instance becomes x = f(y), a polynomial or a smoothing spline (robust.py), over the extent of
its stroke (stroke.py). With a homography the curve is fitted in the plane it leads to, as LaneNet
does (Neven et al., arXiv:1802.05591), and brought back. An instance much wider than high becomes
y = f(x), unless there is a homography. Fragments of one lane are joined (merge.py).
"""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from embedseg.jit import announce
from embedseg.lanes.merge import continuations
from embedseg.lanes.polylines import Lanes, Points, Size
from embedseg.lanes.runs import Runs, find_runs
from embedseg.lanes.stroke import trace
from embedseg.names import unknown

METHODS = {"polynomial": 0, "spline": 1}

Method = Literal["polynomial", "spline"]
Matrix = NDArray[np.float64]


def fit_lanes(  # noqa: PLR0913  (each option stands alone; none is a group)
    labels: NDArray[np.int32],
    size: Size | None = None,
    *,
    method: Method = "polynomial",
    degree: int = 3,
    knots: int = 8,
    smoothing: float = 1e-3,
    homography: ArrayLike | None = None,
    min_pixels: int = 1,
    merge: bool = True,
    step: float = 10.0,
    name: str = "",
    runs: Runs | None = None,
) -> Lanes:
    """Return a lane for each instance of `labels` (h, w), ids kept, points from top to bottom.

    `size` (H, W) of the original image, whose coordinates the lanes have (default: of `labels`).
    `degree` of a polynomial; `knots` + 3 coefficients and `smoothing` (px^2, against the squared
    second differences of the coefficients) of a spline. `homography` (3, 3) acts on the original
    image's coordinates, at any scale and of either sign: the road lies on that side of its horizon
    on which the foot of the image is. Instances of fewer than `min_pixels` are left out. `merge`
    joins instances that continue each other, under the id of the upper one. Points lie on the rows
    that are multiples of `step` pixels and at both ends. `runs` of the instances, where they are
    known or other than those of `labels` (`split_runs`).

    Every instance gives a lane: one pixel gives one point, an instance that fills the image its
    middle column. One whose pixels all lie beyond the homography's horizon gives none.
    """
    if step <= 0:
        raise ValueError(f"step must be > 0 pixels, got {step}; TuSimple's rows are 10 apart")
    if labels.ndim != 2:
        raise ValueError(f"labels must be (h, w), got {labels.shape}; fit one image at a time")
    shape = (labels.shape[0], labels.shape[1])
    size = size or shape
    plane = _homography(homography, size)
    plan = _Plan(shape, size, plane, _form(method, degree, knots, smoothing), step)
    runs = find_runs(labels) if runs is None else runs
    keep = np.flatnonzero(runs.pixels() >= min_pixels)
    flat = runs.flat() if homography is None else np.zeros(len(runs.ids), bool)
    lanes: dict[int, Points] = {}
    for index in keep.tolist():
        lane = plan.turned(runs.of(index)) if flat[index] else plan.lane(runs.of(index))
        if len(lane):
            lanes[index] = lane
    if merge:
        lanes = _joined(lanes, flat, runs, plan)
    return Lanes(tuple(lanes.values()), plan.size, name, tuple(int(runs.ids[i]) for i in lanes))


class _Plan(NamedTuple):
    """How each lane of an image is fitted: sizes of labels and image, plane, curve, step."""

    shape: Size
    size: Size
    plane: tuple[Matrix, Matrix]
    form: tuple[int, int, float]
    step: float

    def lane(self, runs: NDArray[np.int64]) -> Points:
        """Return the lane through runs (3, m) of row, first and last column."""
        scale = (self.size[0] / self.shape[0], self.size[1] / self.shape[1])
        announce(trace)
        lane: Points = trace(runs, self.shape, scale, *self.plane, self.form, float(self.step))
        return lane

    def turned(self, part: NDArray[np.int64]) -> Points:
        """Return the lane of runs (3, m) fitted along the columns, from its upper end."""
        mask = np.zeros(self.shape[::-1], np.int32)
        for row, first, last in part.T.tolist():
            mask[first : last + 1, row] = 1
        runs = find_runs(mask)
        turned = self._replace(shape=self.shape[::-1], size=self.size[::-1])
        lane = turned.lane(runs.of(0))[:, ::-1]
        return np.ascontiguousarray(lane if lane[0, 1] <= lane[-1, 1] else lane[::-1])


def _joined(
    lanes: dict[int, Points], flat: NDArray[np.bool_], runs: Runs, plan: _Plan
) -> dict[int, Points]:
    """Return the lanes with those that continue each other fitted as one."""
    steep = [index for index in lanes if not flat[index]]
    for group in continuations([lanes[index] for index in steep], plan.size):
        if len(group) > 1:
            members = [steep[place] for place in group]
            together = np.concatenate([runs.of(index) for index in members], axis=1)
            lanes[members[0]] = plan.lane(together[:, np.argsort(together[0], kind="stable")])
            for index in members[1:]:
                del lanes[index]
    return lanes


def _form(method: str, degree: int, knots: int, smoothing: float) -> tuple[int, int, float]:
    if method not in METHODS:
        raise unknown("curve", method, METHODS)
    if degree < 0:
        raise ValueError(f"degree must be >= 0, got {degree}; 3 suits roads")
    if knots < 1 or smoothing < 0:
        raise ValueError(
            f"knots must be >= 1 and smoothing >= 0, got {knots} and {smoothing}; try 8 and 1e-3"
        )
    functions = degree + 1 if method == "polynomial" else knots + 3
    return METHODS[method], functions, float(smoothing)


def _homography(matrix: ArrayLike | None, size: Size) -> tuple[Matrix, Matrix]:
    """Return the homography and its inverse, scaled so that w is 1 at the foot of the picture.

    A homography means the same at any scale and sign. What w > 0 has to tell is the side of the
    horizon on which the road lies; OpenCV's matrices, which end in 1, have w < 0 there.
    """
    if matrix is None:
        return np.eye(3), np.eye(3)
    plane: Matrix = np.array(matrix, dtype=np.float64)
    if not is_homography(plane):
        raise ValueError(f"homography must be an invertible (3, 3) matrix, got {plane.tolist()}")
    foot = float(plane[2] @ [(size[1] - 1) / 2, size[0] - 1, 1])
    plane = plane / (foot or 1.0)
    return plane, np.asarray(np.linalg.inv(plane), np.float64)


def is_homography(plane: Matrix) -> bool:
    """Return whether an array is an invertible (3, 3) matrix, at whatever scale."""
    if plane.shape != (3, 3) or not np.isfinite(plane).all():
        return False
    return int(np.linalg.matrix_rank(plane)) == len(plane)
