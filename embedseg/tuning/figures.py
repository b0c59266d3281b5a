"""The metrics that tuning can follow, as ratios of sums over images.

    score(I) = mean_k  sum_{i in I} num_ik / sum_{i in I} den_ik

SBD is the mean over images (num = SBD, den = 1); AP(t) = TP / (TP + FP + FN) and PQ = 2 sum IoU /
(2 TP + FP + FN) pool their counts; mAP is the mean of AP over ten thresholds (k). Written so, the
score of any subset of images and the standard error of a difference come from sums alone.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from embedseg.metrics import ImageScore
from embedseg.metrics.matching import Counts

Array = NDArray[np.float64]


class Parts(NamedTuple):
    """A setting's part from each image: `num` and `den`, both (images, K)."""

    num: Array
    den: Array


def _sbd(image: ImageScore) -> list[tuple[float, float]]:
    return [(min(image.best_dice_pg, image.best_dice_gp), 1.0)]


def _precision(counts: Counts) -> tuple[float, float]:
    return counts.true_positives, sum(counts[:3])


def _ap50(image: ImageScore) -> list[tuple[float, float]]:
    return [_precision(image.counts[0])]


def _map(image: ImageScore) -> list[tuple[float, float]]:
    return [_precision(counts) for counts in image.counts]


def _pq(image: ImageScore) -> list[tuple[float, float]]:
    tp, fp, fn, iou = image.panoptic
    return [(2 * iou, 2 * tp + fp + fn)]


METRICS: dict[str, Callable[[ImageScore], list[tuple[float, float]]]] = {
    "sbd": _sbd,
    "ap50": _ap50,
    "map": _map,
    "pq": _pq,
}


def parts_of(images: Sequence[ImageScore], metric: str) -> Parts:
    """Return the parts of `images` for a metric of METRICS."""
    table = np.array([METRICS[metric](image) for image in images], float)
    return Parts(table[..., 0], table[..., 1])


def score(parts: Parts, chosen: Sequence[int] | None = None) -> float:
    """Return the score over the images `chosen` (indices; None: all); nothing to count scores 1."""
    some = list(range(len(parts.num))) if chosen is None else list(chosen)
    num, den = parts.num[some].sum(0), parts.den[some].sum(0)
    return float(np.where(den > 0, num / np.maximum(den, 1e-12), 1.0).mean())


def gain(new: Parts, old: Parts, chosen: Sequence[int]) -> tuple[float, float]:
    """Return score(new) - score(old) over `chosen` images, and its standard error.

    The error is that of the mean of paired differences of the images' influences on each score
    (the linearisation of the ratio), so that what is hard for both settings cancels.
    """
    some = list(chosen)
    difference = score(new, some) - score(old, some)
    if len(some) < 2:
        return difference, np.inf
    spread = _influence(new, some) - _influence(old, some)
    return difference, float(spread.std(ddof=1) / np.sqrt(len(some)))


def _influence(parts: Parts, some: list[int]) -> Array:
    num, den = parts.num[some], parts.den[some]
    mean = np.maximum(den.mean(0), 1e-12)
    influence: Array = ((num - num.mean(0) / mean * den) / mean).mean(1)
    return influence
