"""Average precision of scored instances, as the COCO benchmark computes it.

In each image and for each IoU threshold, predictions take their partners in the order of falling
score: each the free true instance of the largest IoU that reaches the threshold. Over all images
together, sorted by score, precision is made monotone and averaged over the 101 recalls 0, 0.01,
..., 1 (precision 0 where a recall is never reached).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from embedseg.labels import Ids
from embedseg.metrics.instance import THRESHOLDS
from embedseg.metrics.matching import Overlap, Table, iou_table

RECALLS = np.arange(101) / 100


class Ranked(NamedTuple):
    """What one image adds: which of its predictions, best first, are right at each threshold."""

    scores: npt.NDArray[np.float64]  # (P,) falling
    right: npt.NDArray[np.bool_]  # (len(thresholds), P)
    true: int  # number of true instances


def rank(
    table: Overlap, scores: Mapping[int, float], thresholds: Sequence[float] = THRESHOLDS
) -> Ranked:
    """Match one image's predictions in the order of their scores (id -> score, higher is surer).

    Raises ValueError where a predicted id has no score or one that is not finite.
    """
    values = np.array([_score(scores, int(i)) for i in table.predicted], np.float64)
    order = np.argsort(-values, kind="stable")
    iou = iou_table(table)[order]
    right = np.array([_greedy(iou, threshold) for threshold in thresholds])
    return Ranked(values[order], right.reshape(len(thresholds), len(order)), len(table.true))


def ranked_average_precision(images: Iterable[Ranked]) -> npt.NDArray[np.float64]:
    """Return the AP at each threshold, pooled over images.

    With no true instance at all it is 1 if nothing was predicted either, else 0.
    """
    images = list(images)
    if not images:
        raise ValueError("images is empty; rank at least one image")
    scores = np.concatenate([image.scores for image in images])
    right = np.concatenate([image.right for image in images], axis=1)
    right = right[:, np.argsort(-scores, kind="stable")]
    true = sum(image.true for image in images)
    if not true:
        return np.full(len(right), float(not len(scores)))
    return np.array([_area(row, true) for row in right])


def _score(scores: Mapping[int, float], instance: int) -> float:
    value = float(scores.get(instance, np.nan))
    if not np.isfinite(value):
        raise ValueError(f"instance {instance} has no finite score; scores must map every id")
    return value


def _greedy(iou: Table, threshold: float) -> npt.NDArray[np.bool_]:
    """Tell for each row, first come first served, whether it finds a free column."""
    free = np.ones(iou.shape[1], bool)
    right = np.zeros(iou.shape[0], bool)
    candidates: Ids = np.flatnonzero((iou >= threshold).any(axis=1))
    for row in candidates:
        best = int(np.argmax(np.where(free, iou[row], -1.0)))
        if free[best] and iou[row, best] >= threshold:
            free[best], right[row] = False, True
    return right


def _area(right: npt.NDArray[np.bool_], true: int) -> float:
    found = np.cumsum(right)
    precision = found / np.arange(1, len(right) + 1)
    monotone = np.maximum.accumulate(precision[::-1])[::-1]
    first = np.searchsorted(found / true, RECALLS, side="left")
    return float(np.append(monotone, 0.0)[first].mean())
