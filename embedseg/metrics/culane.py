"""The CULane lane score: F1 of lanes drawn as wide masks, as the benchmark counts.

A lane is a polyline in image coordinates. It becomes a natural cubic spline over its chord length
(50 points for each segment; a lane of two points stays a line) and is drawn `width` pixels wide on
an image of `size` by OpenCV, as the benchmark does (a line "30" wide covers 31 pixels). Lanes are
matched one-to-one so that the sum of the masks' IoU is largest (Hungarian); a pair is a true
positive if its IoU is GREATER than the threshold:

    TP, FP = predicted - TP, FN = true - TP          F1 = 2 TP / (2 TP + FP + FN)

Counts are pooled over the images. In the category "cross" there is no lane to find: only its false
positives are counted. A lane of fewer than two points matches nothing and still counts as predicted
or true, as in the benchmark's program. Data set: Pan et al., Spatial As Deep, arXiv:1712.06080.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import CubicSpline
from scipy.optimize import linear_sum_assignment

from embedseg._cv2 import cv2

WIDTH = 30  # px; the benchmark's lane width
SIZE = (590, 1640)  # (H, W) of the benchmark's images
STEPS = 50  # points on a segment of the spline; the benchmark's value
CROSS = "cross"  # the category without lanes

Lane = NDArray[np.float64]


class LaneCounts(NamedTuple):
    """True positives, false positives and false negatives; addable over images with `pooled`."""

    tp: int
    fp: int
    fn: int

    @property
    def precision(self) -> float:
        """TP / (TP + FP), 0 where nothing is predicted."""
        return self.tp / max(self.tp + self.fp, 1)

    @property
    def recall(self) -> float:
        """TP / (TP + FN), 0 where there is nothing to find."""
        return self.tp / max(self.tp + self.fn, 1)

    @property
    def f1(self) -> float:
        """2 TP / (2 TP + FP + FN), 0 where all are 0."""
        return 2 * self.tp / max(2 * self.tp + self.fp + self.fn, 1)


def culane_score(
    predictions: Mapping[str, Sequence[ArrayLike]],
    truth: Mapping[str, Sequence[ArrayLike]],
    *,
    threshold: float = 0.5,
    categories: Mapping[str, Sequence[str]] | None = None,
    width: int = WIDTH,
    size: tuple[int, int] = SIZE,
) -> dict[str, LaneCounts]:
    """Return pooled counts by category, and of all images under "total".

    Both mappings take an image's name to its lanes, each (n, 2) of x, y. An image of the truth
    without a prediction counts as predicted empty. `categories` takes a category to the names of
    its images (CULane's test splits); without it there is only "total".
    """
    strange = sorted(predictions.keys() - truth.keys())
    if strange:
        raise ValueError(
            f"{len(strange)} predicted images are not in the truth, the first is {strange[0]!r}; "
            "score the images of the list only"
        )
    groups = {"total": list(truth)} if categories is None else categories
    counts = {}
    for group, names in groups.items():
        each = [
            culane_image(
                predictions.get(name, ()),
                _of(truth, name, group),
                threshold=threshold,
                width=width,
                size=size,
            )
            for name in names
        ]
        total = pooled(each)
        counts[group] = LaneCounts(0, total.fp, 0) if group == CROSS else total
    return counts if categories is None else counts | {"total": pooled(counts.values())}


def _of(truth: Mapping[str, Sequence[ArrayLike]], name: str, category: str) -> Sequence[ArrayLike]:
    if name not in truth:
        raise ValueError(f"category {category!r} lists {name!r}, which has no true lanes file")
    return truth[name]


def pooled(counts: Iterable[LaneCounts]) -> LaneCounts:
    """Return the sum of counts; zeros for none."""
    tp, fp, fn = np.array([(0, 0, 0), *counts]).sum(axis=0).tolist()
    return LaneCounts(tp, fp, fn)


def culane_image(
    pred: Sequence[ArrayLike],
    truth: Sequence[ArrayLike],
    *,
    threshold: float = 0.5,
    width: int = WIDTH,
    size: tuple[int, int] = SIZE,
) -> LaneCounts:
    """Return the counts of one image; lanes are (n, 2) arrays of x, y in pixels.

    Raises ValueError for a threshold that is no IoU.
    """
    if not 0 <= threshold <= 1:
        raise ValueError(f"threshold must be in [0, 1], got {threshold}")
    iou = lane_iou(pred, truth, width=width, size=size)
    rows, columns = linear_sum_assignment(iou, maximize=True)
    tp = int((iou[rows, columns] > threshold).sum())
    return LaneCounts(tp, len(pred) - tp, len(truth) - tp)


def lane_iou(
    a: Sequence[ArrayLike],
    b: Sequence[ArrayLike],
    *,
    width: int = WIDTH,
    size: tuple[int, int] = SIZE,
) -> NDArray[np.float64]:
    """Return the IoU (len(a), len(b)) of the lanes drawn `width` pixels wide; 0 for no area."""
    if width < 1:
        raise ValueError(f"width must be >= 1 pixel, got {width}; CULane uses 30")
    left = [_drawn(_checked(lane), width, size) for lane in a]
    right = [_drawn(_checked(lane), width, size) for lane in b]
    both = np.zeros((len(left), len(right)))
    for i, first in enumerate(left):
        for j, second in enumerate(right):
            both[i, j] = cv2.countNonZero(cv2.bitwise_and(first, second))
    area_a = np.array([cv2.countNonZero(mask) for mask in left])
    area_b = np.array([cv2.countNonZero(mask) for mask in right])
    either = area_a[:, None] + area_b[None] - both
    return np.asarray(both / np.maximum(either, 1))


def _checked(lane: ArrayLike) -> Lane:
    points = np.asarray(lane, dtype=np.float64)
    if points.size == 0:
        return np.zeros((0, 2))
    if points.ndim != 2 or points.shape[1] != 2 or not np.isfinite(points).all():
        raise ValueError(
            f"a lane must be finite (n, 2) pairs of x, y, got an array of shape {points.shape}; "
            "TuSimple rows must be turned into points first"
        )
    return points


def _drawn(lane: Lane, width: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return the mask (H, W) of a lane; empty for fewer than two points."""
    mask = np.zeros(size, np.uint8)
    if len(lane) >= 2:
        # far points are cut off before they overflow the drawing routine's 16-bit coordinates
        points = np.clip(np.rint(spline(lane)), -15_000, 15_000).astype(np.int32)
        moved = np.r_[True, (points[1:] != points[:-1]).any(axis=1)]
        cv2.polylines(mask, [points[moved]], False, 1, width)
    return mask


def spline(lane: Lane, steps: int = STEPS) -> Lane:
    """Return points on the natural cubic spline through a lane, `steps` for each segment.

    The parameter is the chord length; points that repeat their predecessor are left out; two
    points give a straight line, one point itself.
    """
    chords = np.hypot(*np.diff(lane, axis=0).T)
    lane = lane[np.r_[True, chords > 0]]
    if len(lane) < 3:
        return lane
    at = np.r_[0.0, np.cumsum(chords[chords > 0])]
    share = np.arange(steps) / steps
    fine = np.r_[(at[:-1, None] + np.diff(at)[:, None] * share).ravel(), at[-1]]
    return np.asarray(CubicSpline(at, lane, bc_type="natural")(fine))
