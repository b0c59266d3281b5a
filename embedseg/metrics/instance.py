"""Scores of one label image against the true one.

The leaf challenge's measures (Scharr et al., "Leaf segmentation in plant phenotyping", 2016) and
those of matched instances. Ids need not be consecutive and their order means nothing. IGNORE pixels
take no part.

Empty images: nothing true and nothing predicted scores 1, for there was nothing to find and nothing
was made up; nothing predicted where something is true, or the other way round, scores 0. (The
challenge's script gives 0 for both; its plants all have leaves.)
"""

from typing import NamedTuple

from embedseg.labels import Labels
from embedseg.metrics.matching import Counts, Overlap, count_matches, dice_table, iou_table, overlap

# COCO's thresholds; quotients, because numpy.arange(0.5, 1, 0.05) misses the 0.6 of 3 in 5 pixels.
THRESHOLDS = tuple(percent / 100 for percent in range(50, 100, 5))


class PanopticQuality(NamedTuple):
    """PQ = SQ * RQ: the mean IoU of the matched pairs times the F1 of the matching."""

    pq: float
    sq: float
    rq: float


def best_dice(a: Labels, b: Labels) -> float:
    """Return BestDice(a, b): the mean over the instances of `a` of their largest Dice with `b`.

    It is one-sided: what `b` has more does not count.
    """
    return best_dice_of(overlap(a, b))


def symmetric_best_dice(prediction: Labels, truth: Labels) -> float:
    """Return SBD = min(BestDice(prediction, truth), BestDice(truth, prediction))."""
    table = overlap(prediction, truth)
    return min(best_dice_of(table), best_dice_of(table.flipped()))


def difference_in_count(prediction: Labels, truth: Labels) -> int:
    """Return DiC: the number of predicted minus the number of true instances."""
    table = overlap(prediction, truth)
    return len(table.predicted) - len(table.true)


def average_precision(prediction: Labels, truth: Labels, *, threshold: float = 0.5) -> float:
    """Return AP(t) = TP / (TP + FP + FN), pairs matched one to one at IoU >= `threshold`.

    This is the average precision of cell segmentation, which needs no confidences; for COCO's see
    `ranked_average_precision`.
    """
    return precision_of(count_matches(iou_table(overlap(prediction, truth)), threshold))


def f1(prediction: Labels, truth: Labels, *, threshold: float = 0.5) -> float:
    """Return F1 = 2 TP / (2 TP + FP + FN), pairs matched one to one at IoU >= `threshold`."""
    return f1_of(count_matches(iou_table(overlap(prediction, truth)), threshold))


def panoptic_quality(prediction: Labels, truth: Labels) -> PanopticQuality:
    """Return PQ, SQ, RQ for one class of instances, matched at IoU > 0.5 (arXiv:1801.00868).

    SQ is the mean IoU of the matched pairs (0 if none), RQ = TP / (TP + FP/2 + FN/2).
    """
    return panoptic_of(count_matches(iou_table(overlap(prediction, truth)), 0.5, strict=True))


def best_dice_of(table: Overlap) -> float:
    """Return BestDice of the predicted instances of a table."""
    if not len(table.predicted) or not len(table.true):
        return float(len(table.predicted) == len(table.true))
    return float(dice_table(table).max(axis=1).mean())


def precision_of(counts: Counts) -> float:
    """Return TP / (TP + FP + FN); 1 if there was nothing to count."""
    tp, fp, fn, _ = counts
    return tp / (tp + fp + fn) if tp + fp + fn else 1.0


def f1_of(counts: Counts) -> float:
    """Return 2 TP / (2 TP + FP + FN); 1 if there was nothing to count."""
    tp, fp, fn, _ = counts
    return 2 * tp / (2 * tp + fp + fn) if tp + fp + fn else 1.0


def panoptic_of(counts: Counts) -> PanopticQuality:
    """Return PQ, SQ, RQ of counts at IoU > 0.5; all 1 if there was nothing to count."""
    tp, fp, fn, iou = counts
    if not tp + fp + fn:
        return PanopticQuality(1.0, 1.0, 1.0)
    rq, sq = f1_of(counts), iou / tp if tp else 0.0
    return PanopticQuality(sq * rq, sq, rq)
