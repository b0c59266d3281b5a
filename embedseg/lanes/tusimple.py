"""TuSimple label files: one JSON object a line, lanes as x positions on common rows.

    {"raw_file": "clips/.../20.jpg", "h_samples": [160, 170, ...], "lanes": [[-2, 632, ...], ...]}

A negative x says that the lane is absent on that row. Predictions also have "run_time" (ms).
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from embedseg.io import InputError
from embedseg.lanes.polylines import Lanes, Size, at_rows, lanes_of

SIZE: Size = (720, 1280)  # of every TuSimple frame
ABSENT = -2  # x on a row where the lane is not
ROW_STEP = 10  # px between two rows
FIRST_ROW = 2 / 9  # of the height: row 160 of 720


def read_tusimple(path: str | Path, size: Size = SIZE) -> list[Lanes]:
    """Read the lanes of a label or prediction file; points come in the order of the rows.

    Raises InputError, with the number of the frame, for anything that is not the format.
    """
    path = Path(path)
    lanes = []
    for number, record in enumerate(read_records(path), 1):
        try:
            lanes.append(from_record(record, size))
        except (ValueError, TypeError) as error:
            raise InputError(f"{path}, frame {number}: {error}") from error
    return lanes


def read_records(
    path: str | Path, check: Callable[[dict[str, Any]], None] | None = None
) -> list[dict[str, Any]]:
    """Read the lines as dictionaries, as the score takes them; empty lines are skipped.

    Raises InputError for a missing file, a line that is no JSON object or that `check` raises a
    ValueError for, or no line at all.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(
            f"{path}: no such file; give a TuSimple label file (JSON, one frame a line)"
        )
    records = []
    for number, line in enumerate(
        path.read_text(encoding="utf-8", errors="replace").split("\n"), 1
    ):
        if not line.strip():
            continue
        try:
            records.append(_record(line))
            if check is not None:
                check(records[-1])
        except ValueError as error:
            raise InputError(f"{path}, line {number}: {error}") from error
    if not records:
        raise InputError(
            f"{path}: holds no frame; a TuSimple label file has one JSON object a line"
        )
    return records


def _record(line: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON ({error.msg})") from error
    if not isinstance(record, dict) or not isinstance(record.get("raw_file"), str):
        raise ValueError("not a JSON object with raw_file and lanes")
    return record


def from_record(record: dict[str, Any], size: Size = SIZE) -> Lanes:
    """Return the lanes of one record; lanes without a point are left out."""
    if not isinstance(record.get("lanes"), list) or not isinstance(record.get("h_samples"), list):
        raise ValueError("lacks lanes or h_samples")
    rows = np.asarray(record["h_samples"], dtype=np.float64)
    order = np.argsort(rows, kind="stable")
    lanes = []
    for index, lane in enumerate(record["lanes"]):
        if not isinstance(lane, list):
            raise ValueError(f"lane {index} is {lane!r}; it must be a list of x positions")
        if len(lane) != len(rows):
            raise ValueError(
                f"lane {index} has {len(lane)} positions for {len(rows)} h_samples; "
                "every lane needs one x for each row, -2 where it is absent"
            )
        points = np.stack([np.asarray(lane, dtype=np.float64), rows], axis=1)[order]
        lanes.append(points[points[:, 0] >= 0])
    return lanes_of(lanes, size, record.get("raw_file", ""))


def to_record(
    lanes: Lanes, h_samples: Sequence[float] | None = None, run_time: float = 0.0
) -> dict[str, Any]:
    """Return the record of one frame, x rounded to 1/100 px.

    `h_samples`: by default those of TuSimple, every 10 px from 2/9 of the height on. Points left
    of the image become absent, as the format cannot hold them.
    """
    if h_samples is None:
        h_samples = default_rows(lanes.size or SIZE)
    table = [at_rows(lane, h_samples) for lane in lanes.points]
    xs = [[round(x, 2) if x >= 0 else ABSENT for x in lane.tolist()] for lane in table]
    return {
        "raw_file": lanes.name,
        "lanes": xs,
        "h_samples": list(h_samples),
        "run_time": round(run_time, 3),
    }


def default_rows(size: Size) -> list[int]:
    """Return the rows of TuSimple for pictures of `size`: 160, 170, ..., 710 for 720 x 1280."""
    return list(range(round(FIRST_ROW * size[0]), size[0], ROW_STEP))
