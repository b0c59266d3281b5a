"""The official lane scores of prediction files: TuSimple's and CULane's."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from embedseg.io import InputError
from embedseg.lanes.culane import ENDING, read_culane_set, read_list
from embedseg.lanes.polylines import Lanes
from embedseg.lanes.tusimple import read_records
from embedseg.metrics.culane import LaneCounts, culane_score
from embedseg.metrics.lanes import tusimple_score

FORMATS = ("tusimple", "culane")
THRESHOLDS = (0.5, 0.3)  # IoU; the benchmark's own and the looser one of its paper

Rows = list[dict[str, Any]]


def score_tusimple(prediction: Path, truth: Path, *, ignore_run_time: bool = False) -> Rows:
    """Return one row: frames, accuracy, FP, FN, F1 of a prediction file against a label file.

    `ignore_run_time`: do not count frames slower than 200 ms as empty, as the benchmark does.
    """
    found, labels = read_records(prediction), read_records(truth)
    if ignore_run_time:
        found = [{k: v for k, v in record.items() if k != "run_time"} for record in found]
    try:
        score = tusimple_score(found, labels)
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{prediction} against {truth}: {error}") from error
    numbers = {"accuracy": score.accuracy, "FP": score.fp, "FN": score.fn, "F1": score.f1}
    return [{"frames": len(labels)} | numbers]


def score_culane(
    prediction: Path, truth: Path, *, names: Path | None = None, categories: Path | None = None
) -> Rows:
    """Return a row for each category and IoU threshold: TP, FP, FN, precision, recall, F1.

    `prediction` and `truth` are folders of `.lines.txt`; `names` lists the pictures to score
    (default: all that have a truth), `categories` is CULane's folder `list/test_split`. A picture
    without a prediction file counts as predicted empty. In "cross" only FP are counted.
    """
    groups = None if categories is None else read_categories(categories)
    images = _images(truth, names, groups)
    lanes = read_culane_set(truth, images)
    found = read_culane_set(prediction, images, missing_is_empty=True)
    if not any(prediction.rglob(f"*{ENDING}")):
        raise InputError(f"{prediction}: holds no {ENDING}; give the folder of the predictions")
    rows = []
    for threshold in THRESHOLDS:
        counts = culane_score(
            _points(found), _points(lanes), threshold=threshold, categories=groups
        )
        rows += [_row(category, threshold, count) for category, count in counts.items()]
    return rows


def _images(truth: Path, names: Path | None, groups: Mapping[str, list[str]] | None) -> list[str]:
    if not truth.is_dir():
        raise InputError(f"{truth}: no such folder of true {ENDING} files")
    if groups is not None:
        return list(dict.fromkeys(name for group in groups.values() for name in group))
    if names is not None:
        return read_list(names)
    files = sorted(truth.rglob(f"*{ENDING}"))
    if not files:
        raise InputError(f"{truth}: holds no {ENDING}; give the folder of the labels")
    below = [file.relative_to(truth).as_posix() for file in files]
    return [name.removesuffix(ENDING) + ".jpg" for name in below]


def read_categories(folder: Path) -> dict[str, list[str]]:
    """Return the pictures of each category: `test0_normal.txt` lists those of "normal"."""
    files = sorted(folder.glob("test*_*.txt"))
    if not files:
        raise InputError(f"{folder}: holds no test0_normal.txt or the like; give list/test_split")
    return {file.stem.partition("_")[2]: read_list(file) for file in files}


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
