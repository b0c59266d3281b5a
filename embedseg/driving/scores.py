"""The official lane scores of prediction files: TuSimple's and CULane's."""

import json
import logging
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from embedseg.io import InputError
from embedseg.lanes.culane import (
    ENDING,
    lines_path,
    read_categories,
    read_culane_set,
    read_list,
)
from embedseg.lanes.polylines import Lanes
from embedseg.lanes.tusimple import read_records
from embedseg.metrics.culane import SIZE, LaneCounts, culane_score
from embedseg.metrics.lanes import KEYS, MAX_RUN_TIME, TRUE_KEYS, check_record, tusimple_score

logger = logging.getLogger(__name__)
BELOW = 10  # px; CULane's lanes end at row 590
THRESHOLDS = (0.5, 0.3)  # IoU; the benchmark's own and the looser one of its paper

Rows = list[dict[str, Any]]


def score_tusimple(prediction: Path, truth: Path, *, ignore_run_time: bool = False) -> Rows:
    """Return one row: frames, accuracy, FP, FN, F1 of a prediction file against a label file.

    `ignore_run_time`: do not count frames slower than 200 ms as empty, as the benchmark does.
    Raises InputError, with the file and, where one is to blame, the line or picture.
    """

    def check(record: dict[str, Any]) -> None:
        if ignore_run_time:
            record.pop("run_time", None)
        check_record(record, KEYS)

    found = read_records(prediction, check)
    labels = read_records(truth, lambda record: check_record(record, TRUE_KEYS))
    try:
        score = tusimple_score(found, labels)
    except ValueError as error:
        raise InputError(f"{prediction} against {truth}: {error}") from error
    warn_of_slow([record.get("run_time", 0.0) for record in found])
    numbers = {"accuracy": score.accuracy, "FP": score.fp, "FN": score.fn, "F1": score.f1}
    return [{"frames": len(labels)} | numbers]


def warn_of_slow(times: Collection[float]) -> None:
    """Warn of frames that took so long (ms) that the TuSimple score counts them as empty."""
    slow = sum(time > MAX_RUN_TIME for time in times)
    if slow:
        logger.warning(
            "%d of %d frames took more than 200 ms, which the TuSimple score counts as empty; "
            "score with --ignore-run-time to see how good the lanes are",
            slow, len(times),
        )  # fmt: skip


def score_culane(
    prediction: Path, truth: Path, *, names: Path | None = None, categories: Path | None = None
) -> Rows:
    """Return a row for each category and IoU threshold: TP, FP, FN, precision, recall, F1.

    `prediction` and `truth` are folders of `.lines.txt`; `names` lists the pictures to score
    (default: all that have a truth), `categories` is CULane's folder `list/test_split`. A picture
    without a prediction file counts as predicted empty; predictions without a truth are named in a
    warning. In "cross" only FP are counted. Raises InputError where not one picture has a
    prediction.
    """
    groups = None if categories is None else read_categories(categories)
    if groups == {}:
        raise InputError(
            f"{categories}: holds no test0_normal.txt or the like; give list/test_split"
        )
    images = _images(truth, names, groups)
    extra = _without_truth(prediction, images)
    if extra and names is None and groups is None:
        logger.warning(
            "%s: no truth for %d predictions, such as %s; they are not scored",
            prediction, len(extra), extra[0],
        )  # fmt: skip
    lanes = read_culane_set(truth, images)
    warn_of_size(truth, lanes)
    found = read_culane_set(prediction, images, missing_is_empty=True)
    rows = []
    for threshold in THRESHOLDS:
        counts = culane_score(
            _points(found), _points(lanes), threshold=threshold, categories=groups
        )
        rows += [_row(category, threshold, count) for category, count in counts.items()]
    return rows


def warn_of_size(truth: Path, lanes: Mapping[str, Lanes]) -> None:
    """Warn of true lanes that reach beyond CULane's pictures, on which the score draws them."""
    rows = [float(lane[:, 1].max()) for frame in lanes.values() for lane in frame.points]
    low = max(rows, default=0.0)
    if low > SIZE[0] + BELOW:
        logger.warning(
            "%s: lanes reach row %.0f, but the score draws them on CULane's pictures of %d x %d, "
            "and what lies beyond counts for nothing; scale the lanes of other pictures to that",
            truth, low, SIZE[1], SIZE[0],
        )  # fmt: skip


def _images(truth: Path, names: Path | None, groups: Mapping[str, list[str]] | None) -> list[str]:
    if not truth.is_dir():
        raise InputError(f"{truth}: no such folder of true {ENDING} files")
    if groups is not None:
        return list(dict.fromkeys(name for group in groups.values() for name in group))
    if names is not None:
        return read_list(names, needed=True)
    files = sorted(truth.rglob(f"*{ENDING}"))
    if not files:
        raise InputError(f"{truth}: holds no {ENDING}; give the folder of the labels")
    below = [file.relative_to(truth).as_posix() for file in files]
    return [name.removesuffix(ENDING) + ".jpg" for name in below]


def _without_truth(prediction: Path, images: list[str]) -> list[str]:
    """Return the predictions of other pictures than `images`; InputError where all are."""
    files = {path.relative_to(prediction) for path in prediction.rglob(f"*{ENDING}")}
    if not files:
        raise InputError(f"{prediction}: holds no {ENDING}; give the folder of the predictions")
    wanted = {lines_path(name.lstrip("/")) for name in images}
    if not files & wanted:
        raise InputError(
            f"{prediction}: holds no prediction of the pictures to score: they need names such as "
            f"{min(wanted)}, it has {min(files)}; give the folder from which the names are equal"
        )
    return sorted(path.as_posix() for path in files - wanted)


def _points(lanes: Mapping[str, Lanes]) -> dict[str, list[Any]]:
    return {name: list(frame.points) for name, frame in lanes.items()}


def _row(category: str, threshold: float, counts: LaneCounts) -> dict[str, Any]:
    row: dict[str, Any] = {"category": category, "IoU": threshold}
    row |= {"TP": counts.tp, "FP": counts.fp, "FN": counts.fn}
    return row | {"precision": counts.precision, "recall": counts.recall, "F1": counts.f1}


def to_table(rows: Rows) -> str:
    """Return the rows as aligned columns; shares with four digits."""
    words = [list(rows[0]), *([_word(value) for value in row.values()] for row in rows)]
    widths = [max(len(line[i]) for line in words) for i in range(len(words[0]))]
    return "\n".join(
        "  ".join(word.rjust(width) for word, width in zip(line, widths, strict=True))
        for line in words
    )


def to_csv(rows: Rows) -> str:
    """Return the rows as CSV."""
    lines = [list(rows[0]), *([_word(value, 6) for value in row.values()] for row in rows)]
    return "".join(",".join(line) + "\n" for line in lines)


def to_json(rows: Rows) -> str:
    """Return the rows as a JSON list."""
    return json.dumps(rows, indent=1) + "\n"


def _word(value: Any, digits: int = 4) -> str:
    return f"{value:.{digits}f}" if isinstance(value, float) else str(value)
