"""Writing lanes: TuSimple lines, CULane files, GeoJSON, CSV, generic JSON."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from embedseg.io import InputError, write_text
from embedseg.lanes.culane import lines_path, to_text
from embedseg.lanes.json_files import to_object
from embedseg.lanes.polylines import Lanes
from embedseg.lanes.tusimple import to_record
from embedseg.names import unknown

COLUMNS = ("image", "time", "lane", "point", "x", "y")  # of CSV
DIGITS = 2  # of a pixel's coordinate in GeoJSON and CSV


def write_lanes(
    frames: Iterable[Lanes],
    out: str | Path,
    format: str,
    *,
    h_samples: Sequence[float] | None = None,
    run_times: Mapping[str, float] | None = None,
) -> list[Path]:
    """Write the lanes of pictures and return the files; nothing is left half written.

    `format` "tusimple", "geojson", "csv" or "json" writes the one file `out`; "culane" writes
    `<name>.lines.txt` for each picture under the folder `out`. `h_samples` (rows) and `run_times`
    (ms by name) belong to "tusimple" alone and raise ValueError elsewhere.
    """
    if format != "tusimple" and (h_samples is not None or run_times is not None):
        raise ValueError(f"h_samples and run_times belong to format 'tusimple', not {format!r}")
    out = Path(out)
    if format == "culane":
        return [write_text(label_path(out, frame.name), to_text(frame)) for frame in frames]
    if format == "tusimple":
        times = run_times or {}
        records = (to_record(f, h_samples, times.get(f.name, 0.0)) for f in frames)
        return [write_text(out, "".join(json.dumps(record) + "\n" for record in records))]
    if format not in TEXTS:
        raise unknown("lane format", format, ["culane", "tusimple", *TEXTS])
    return [write_text(out, TEXTS[format](list(frames)))]


def geojson(frames: Sequence[Lanes]) -> str:
    """Return a FeatureCollection: a LineString for each lane, a Point for a lane of one point.

    Coordinates are pixels of the picture, x to the right and y down. Properties: `image`, `lane`
    (its id) and, in a drive, `time` in seconds.
    """
    features = [
        {
            "type": "Feature",
            "properties": _properties(frame, number),
            "geometry": _geometry(lane.round(DIGITS).tolist()),
        }
        for frame in frames
        for number, lane in zip(frame.ids, frame.points, strict=True)
    ]
    return json.dumps({"type": "FeatureCollection", "features": features}) + "\n"


def _properties(frame: Lanes, number: int) -> dict[str, Any]:
    when = {} if frame.time is None else {"time": round(frame.time, 6)}
    return {"image": frame.name, "lane": number} | when


def _geometry(points: list[Any]) -> dict[str, Any]:
    if len(points) == 1:
        return {"type": "Point", "coordinates": points[0]}
    return {"type": "LineString", "coordinates": points}


def table(frames: Sequence[Lanes]) -> str:
    """Return CSV with a row for each point: image, time, lane, point, x, y."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    for frame in frames:
        when = "" if frame.time is None else round(frame.time, 6)
        for number, lane in zip(frame.ids, frame.points, strict=True):
            for index, (x, y) in enumerate(lane.round(DIGITS).tolist()):
                rows.writerow([frame.name, when, number, index, x, y])
    return text.getvalue()


def generic(frames: Sequence[Lanes]) -> str:
    """Return the generic JSON form, one picture a line."""
    return "".join(json.dumps(to_object(frame)) + "\n" for frame in frames)


TEXTS: dict[str, Callable[[Sequence[Lanes]], str]] = {
    "geojson": geojson,
    "csv": table,
    "json": generic,
}
FORMATS = ("tusimple", "culane", *TEXTS)


def label_path(out: Path, name: str) -> Path:
    """Return CULane's file of a picture under `out`; InputError for a name that leads out of it."""
    path = out / name.lstrip("/")
    if not name or ".." in path.parts:
        raise InputError(f"picture {name!r}: its name cannot be a path below {out}; rename it")
    return lines_path(path)
