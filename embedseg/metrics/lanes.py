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

import reprlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

PIXEL_TOLERANCE = 20.0  # px across the lane; the benchmark's value
MATCH_ACCURACY = 0.85  # a true lane is found from this share of rows on; the benchmark's value
MAX_RUN_TIME = 200.0  # ms; slower answers count as empty; the benchmark's value
COUNTED_LANES = 4  # lanes that the benchmark expects at most
KEYS = ("raw_file", "lanes")  # of a prediction
TRUE_KEYS = (*KEYS, "h_samples")  # of the truth
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
    (ms). Every image needs exactly one record of the truth and one prediction. A prediction that
    brings its own `h_samples` is read at the truth's rows (linearly between its own); without them
    its lanes must be as long as the truth's rows. Raises ValueError for anything else.
    """
    _check_all(truth, "truth", TRUE_KEYS)
    _check_all(predictions, "prediction", KEYS)
    _same_images([r["raw_file"] for r in predictions], [r["raw_file"] for r in truth])
    by_name = {record["raw_file"]: record for record in truth}
    scores = [_of_record(record, by_name[record["raw_file"]]) for record in predictions]
    return TuSimpleScore(*np.mean(np.array(scores, dtype=np.float64), axis=0).tolist())


def _check_all(records: Sequence[Mapping[str, Any]], what: str, needed: Sequence[str]) -> None:
    for index, record in enumerate(records):
        try:
            check_record(record, needed)
        except ValueError as error:
            raise ValueError(f"{what} {index} {error}") from error


def check_record(record: Mapping[str, Any], needed: Sequence[str]) -> None:
    """Raise ValueError where a record cannot be scored; `needed` are KEYS or TRUE_KEYS."""
    for key in needed:
        if record.get(key) is None:
            raise ValueError(f"has no {key!r}; every line needs {', '.join(needed)}")
    if record.get("h_samples") is not None:
        _numbers(record["h_samples"], "h_samples", "one row")
    lanes = record["lanes"]
    if not isinstance(lanes, Sequence | np.ndarray) or isinstance(lanes, str):
        raise ValueError(f"has lanes {reprlib.repr(lanes)}; write a list of lanes, [] for none")
    for index, lane in enumerate(lanes):
        _numbers(lane, f"lane {index}", "one x for each row, -2 where the lane is absent")
    time = record.get("run_time", 0.0)
    if not isinstance(time, int | float | np.number):
        raise ValueError(f"has run_time {time!r}; write milliseconds, or leave it out")


def _numbers(values: Any, what: str, remedy: str) -> None:
    """Refuse what is not a list of numbers."""
    try:
        array = np.asarray(values)
    except ValueError:  # lists of several lengths
        array = np.array(None)
    if array.ndim != 1 or array.dtype.kind not in "iuf":
        raise ValueError(f"has {what} {reprlib.repr(values)}; write a list of numbers: {remedy}")


def _of_record(record: Mapping[str, Any], truth: Mapping[str, Any]) -> TuSimpleScore:
    """Return the score of one prediction; a ValueError names its image."""
    rows = truth["h_samples"]
    time = float(record.get("run_time", 0.0))
    try:
        return tusimple_image(_at_rows(record, rows), truth["lanes"], rows, run_time=time)
    except ValueError as error:
        raise ValueError(f"{record['raw_file']}: {error}") from error


def _same_images(names: Sequence[str], true_names: Sequence[str]) -> None:
    """Refuse an empty set and images that are given twice, unknown or left out."""
    if not true_names:
        raise ValueError("truth: no records; give the label file of the images to score")
    known, seen = Counter(true_names), Counter(names)
    for problem, sample in (
        ("more than once in the truth", sorted(n for n, times in known.items() if times > 1)),
        ("predicted more than once", sorted(n for n, times in seen.items() if times > 1)),
        ("predicted but not in the truth", sorted(seen.keys() - known)),
        ("in the truth but not predicted", sorted(known.keys() - seen)),
    ):
        if sample:
            images = "1 image is" if len(sample) == 1 else f"{len(sample)} images are"
            raise ValueError(
                f"{images} {problem}, the first is {sample[0]!r}; "
                "give exactly one line for each image"
            )


def _at_rows(record: Mapping[str, Any], rows: Sequence[float]) -> list[ArrayLike]:
    """Return the predicted lanes at `rows`, resampled if the record's own h_samples differ."""
    lanes, own = record["lanes"], record.get("h_samples")
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
