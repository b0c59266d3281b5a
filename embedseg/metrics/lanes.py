"""The TuSimple lane score: accuracy, false positives and false negatives, as the benchmark counts.

A lane is a row of x positions, one for each image row of `h_samples`; a negative x says that the
lane is absent there. For each true lane the tolerance is 20 px / cos(angle), the angle that of a
straight line fitted to the lane. With a(p, g) the share of ALL rows at which prediction and truth
agree (|dx| < tolerance, or both absent):

    accuracy of a true lane = max_p a(p, g)         matched when >= 0.85
    accuracy of an image    = sum over true lanes / min(4, true lanes)
    FP = (predicted - matched) / predicted          FN = missed / min(4, true lanes)

The benchmark's own habits are kept, because published numbers contain them: matching is not
one-to-one (one prediction may match two true lanes, so FP can be negative); with more than four
true lanes the worst is left out of the sum and one miss is forgiven; more than two lanes too many,
or a run time above 200 ms, gives (0, 0, 1). The score of a set is the mean over its images.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

PIXEL_TOLERANCE = 20.0  # px across the lane; the benchmark's value
MATCH_ACCURACY = 0.85  # a true lane is found from this share of rows on; the benchmark's value
MAX_RUN_TIME = 200.0  # ms; slower answers count as empty; the benchmark's value
COUNTED_LANES = 4  # lanes that the benchmark expects at most
ABSENT = -100.0  # what every negative x becomes before two lanes are compared


class TuSimpleScore(NamedTuple):
    """Accuracy, false positives and false negatives, of one image or as the mean over a set."""

    accuracy: float
    fp: float
    fn: float

    @property
    def f1(self) -> float:
        """2PR / (P + R) with precision P = 1 - FP and recall R = 1 - FN; 0 where both are 0."""
        precision, recall = 1.0 - self.fp, 1.0 - self.fn
        both = precision + recall
        return 2.0 * precision * recall / both if both > 0 else 0.0


def tusimple_image(
    pred: Sequence[ArrayLike],
    truth: Sequence[ArrayLike],
    h_samples: ArrayLike,
    *,
    run_time: float = 0.0,
) -> TuSimpleScore:
    """Return the score of one image.

    `pred` (P lanes) and `truth` (G lanes) hold one x for each of the R rows in `h_samples`.
    `run_time` in ms. No prediction: (0, 0, 1) when there are true lanes, else (0, 0, 0).
    """
    rows = np.asarray(h_samples, dtype=np.float64)
    found, lanes = _table(pred, rows, "pred"), _table(truth, rows, "truth")
    if run_time > MAX_RUN_TIME or len(lanes) + 2 < len(found):
        return TuSimpleScore(0.0, 0.0, 1.0)
    if not len(lanes):
        return TuSimpleScore(0.0, 1.0 if len(found) else 0.0, 0.0)
    best = _best_accuracy(found, lanes, rows)
    matched = int((best >= MATCH_ACCURACY).sum())
    missed = len(lanes) - matched
    total = float(best.sum())
    if len(lanes) > COUNTED_LANES:
        missed -= missed > 0
        total -= float(best.min())
    counted = min(COUNTED_LANES, len(lanes))
    fp = (len(found) - matched) / len(found) if len(found) else 0.0
    return TuSimpleScore(total / counted, fp, missed / counted)


def _table(lanes: Sequence[ArrayLike], rows: NDArray[np.float64], what: str) -> NDArray[np.float64]:
    """Lanes as (lanes, rows), absent points at ABSENT; refuses a lane of another length."""
    table = np.full((len(lanes), len(rows)), ABSENT)
    for index, lane in enumerate(lanes):
        xs = np.asarray(lane, dtype=np.float64)
        if xs.shape != rows.shape:
            raise ValueError(
                f"{what}: lane {index} has {xs.size} positions for {rows.size} h_samples; "
                "give one x for each row, -2 where the lane is absent"
            )
        table[index] = np.where(xs >= 0, xs, ABSENT)
    return table


def _best_accuracy(
    found: NDArray[np.float64], lanes: NDArray[np.float64], rows: NDArray[np.float64]
) -> NDArray[np.float64]:
    """For each true lane the best share of agreeing rows, 0 where nothing is predicted."""
    if not len(found):
        return np.zeros(len(lanes))
    # 1 / cos(atan(k)) = sqrt(1 + k^2) with the slope k
    tolerance = PIXEL_TOLERANCE * np.sqrt(1.0 + _slopes(lanes, rows) ** 2)
    agree = np.abs(found[:, None] - lanes[None]) < tolerance[None, :, None]
    best: NDArray[np.float64] = agree.mean(axis=2).max(axis=0)
    return best


def _slopes(lanes: NDArray[np.float64], rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Slope dx/dy of the least-squares line of each lane, 0 for fewer than two points."""
    present = (lanes >= 0).astype(np.float64)
    count = np.maximum(present.sum(axis=1), 1.0)
    dy = (rows - (present @ rows / count)[:, None]) * present
    spread = (dy**2).sum(axis=1)
    return np.asarray((dy * lanes).sum(axis=1) / np.where(spread > 0, spread, 1.0))


def tusimple_score(
    predictions: Sequence[Mapping[str, Any]], truth: Sequence[Mapping[str, Any]]
) -> TuSimpleScore:
    """Return the mean score over a set of records as the benchmark's json lines hold them.

    A record has `raw_file` and `lanes`; truth also `h_samples`; a prediction may have `run_time`
    (ms). Every image of the truth needs exactly one prediction. A prediction that brings its own
    `h_samples` is read at the truth's rows (linearly between its own); without them its lanes must
    be as long as the truth's rows.
    """
    by_name = {record["raw_file"]: record for record in truth}
    names = [_field(record, "raw_file", index) for index, record in enumerate(predictions)]
    _same_images(names, by_name)
    scores = [
        tusimple_image(
            _at_rows(record, by_name[name]["h_samples"]),
            by_name[name]["lanes"],
            by_name[name]["h_samples"],
            run_time=float(record.get("run_time", 0.0)),
        )
        for name, record in zip(names, predictions, strict=True)
    ]
    return TuSimpleScore(*np.mean(np.array(scores, dtype=np.float64), axis=0).tolist())


def _field(record: Mapping[str, Any], key: str, index: int) -> Any:
    if key not in record:
        raise ValueError(f"prediction {index} has no {key!r}; every line needs raw_file and lanes")
    return record[key]


def _same_images(names: Sequence[str], truth: Mapping[str, Any]) -> None:
    """Refuse an empty set and images that are predicted twice, unknown or left out."""
    if not truth:
        raise ValueError("truth: no records; give the label file of the images to score")
    known, seen = truth.keys(), Counter(names)
    for problem, sample in (
        ("predicted more than once", sorted(n for n, times in seen.items() if times > 1)),
        ("predicted but not in the truth", sorted(seen.keys() - known)),
        ("in the truth but not predicted", sorted(known - seen.keys())),
    ):
        if sample:
            raise ValueError(
                f"{len(sample)} images are {problem}, the first is {sample[0]!r}; "
                "give exactly one line for each image"
            )


def _at_rows(record: Mapping[str, Any], rows: Sequence[float]) -> list[ArrayLike]:
    """Return the predicted lanes at `rows`, resampled if the record's own h_samples differ."""
    lanes, own = record.get("lanes"), record.get("h_samples")
    if lanes is None:
        raise ValueError(f"prediction of {record['raw_file']!r} has no 'lanes'; write [] for none")
    if own is None or list(own) == list(rows):
        return list(lanes)
    return [_resample(np.asarray(lane, np.float64), own, rows) for lane in lanes]


def _resample(lane: NDArray[np.float64], own: Sequence[float], rows: Sequence[float]) -> ArrayLike:
    """Return a lane given at the rows `own` as read at `rows`; absent outside its own extent."""
    heights = np.asarray(own, dtype=np.float64)
    if heights.shape != lane.shape:
        raise ValueError(
            f"a predicted lane has {lane.size} positions for its own {heights.size} h_samples; "
            "give one x for each row"
        )
    keep = np.flatnonzero(lane >= 0)
    if not len(keep):
        return np.full(len(rows), ABSENT)
    keep = keep[np.argsort(heights[keep], kind="stable")]
    return np.interp(
        np.asarray(rows, np.float64), heights[keep], lane[keep], left=ABSENT, right=ABSENT
    )
