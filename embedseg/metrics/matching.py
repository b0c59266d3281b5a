"""Comparing two label images by counts: how instances overlap, and who is matched with whom.

Every metric of instances starts here: one pass over the pixels gives the overlap table, all else
is small. Pixels that are IGNORE in either image take no part; an instance that lies wholly on
such pixels does not exist.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from embedseg.labels import BACKGROUND, Ids, Labels, overlap_table

Table = npt.NDArray[np.float64]


class Overlap(NamedTuple):
    """The instances of a prediction (P) and of the truth (T), and the pixels that they share."""

    predicted: Ids  # (P,) sorted ids >= 1
    true: Ids  # (T,)
    shared: Ids  # (P, T) pixels in common
    predicted_sizes: Ids  # (P,) pixels
    true_sizes: Ids  # (T,)

    def flipped(self) -> "Overlap":
        """Return the same with prediction and truth exchanged."""
        return Overlap(
            self.true, self.predicted, self.shared.T, self.true_sizes, self.predicted_sizes
        )


class Counts(NamedTuple):
    """What came of matching predicted and true instances; counts of several images add up."""

    true_positives: int  # matched pairs
    false_positives: int  # predictions without a partner
    false_negatives: int  # true instances without a partner
    matched_iou: float  # sum of the IoU of the matched pairs


def overlap(prediction: Labels, truth: Labels) -> Overlap:
    """Count the pixels that predicted and true instances share; the images have equal shapes."""
    ids_p, ids_t, counts = overlap_table(prediction, truth)
    p, t = ids_p > BACKGROUND, ids_t > BACKGROUND
    return Overlap(
        predicted=ids_p[p],
        true=ids_t[t],
        shared=counts[np.ix_(p, t)],
        predicted_sizes=counts.sum(1)[p],
        true_sizes=counts.sum(0)[t],
    )


def iou_table(table: Overlap) -> Table:
    """Return IoU(p, t) = |p and t| / |p or t| for all pairs, (P, T)."""
    total = table.predicted_sizes[:, None] + table.true_sizes[None, :]
    return table.shared / (total - table.shared)


def dice_table(table: Overlap) -> Table:
    """Return Dice(p, t) = 2 |p and t| / (|p| + |t|) for all pairs, (P, T)."""
    return 2 * table.shared / (table.predicted_sizes[:, None] + table.true_sizes[None, :])


def match(similarity: Table, threshold: float, *, strict: bool = False) -> tuple[Ids, Ids]:
    """Match rows and columns one to one where their similarity in [0, 1] reaches `threshold`.

    Returns the rows and columns of the matched pairs. Of all matchings it takes one of most
    pairs and, among those, of the largest sum. Above an IoU of 0.5 there is only one. `strict`
    asks for more than the threshold instead of at least the threshold.
    """
    allowed = similarity > threshold if strict else similarity >= threshold
    if allowed.sum(0).max(initial=0) <= 1 and allowed.sum(1).max(initial=0) <= 1:
        rows, columns = np.nonzero(allowed)
        return rows, columns
    bonus = 1 / (min(similarity.shape) + 1)  # all bonuses together weigh less than one pair
    rows, columns = linear_sum_assignment(
        np.where(allowed, 1 + bonus * similarity, 0.0), maximize=True
    )
    kept = allowed[rows, columns]
    return rows[kept], columns[kept]


def count_matches(iou: Table, threshold: float, *, strict: bool = False) -> Counts:
    """Match by IoU (P, T) and count; `strict` as in `match`. ValueError for no IoU above 0."""
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold must be in (0, 1], got {threshold}")
    rows, columns = match(iou, threshold, strict=strict)
    matched: npt.NDArray[Any] = iou[rows, columns]
    return Counts(
        true_positives=len(rows),
        false_positives=iou.shape[0] - len(rows),
        false_negatives=iou.shape[1] - len(rows),
        matched_iou=float(matched.sum()),
    )


def pool(counts: Iterable[Counts]) -> Counts:
    """Add up the counts of several images."""
    rows = list(counts)
    tp, fp, fn = (sum(int(row[i]) for row in rows) for i in range(3))
    return Counts(tp, fp, fn, sum(row.matched_iou for row in rows))
