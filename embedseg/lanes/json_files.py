"""Polyline labels in JSON: CurveLanes, LLAMAS, labelme, and our own generic form.

    CurveLanes   {"Lines": [[{"x": "1.5", "y": "2"}, ...], ...]}           one file for each picture
    LLAMAS       {"image_name": ..., "lanes": [{"markers": [{"pixel_start": {"x", "y"},
                  "pixel_end": {"x", "y"}}, ...]}, ...]}
    labelme      {"imagePath": ..., "imageHeight", "imageWidth", "shapes": [{"points": [[x, y]]}]}
    generic      {"name": ..., "size": [H, W], "lanes": [[[x, y], ...], ...]}, and for a frame of a
                  drive "time" in seconds and "ids": [number of each lane, ...]

A file holds one such object, a list of them, or one on each line.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from embedseg.io import InputError
from embedseg.lanes.polylines import Lanes, Size, lanes_of

Point = tuple[float, float]

LANE_KEYS = ("lanes", "Lines", "lines", "shapes", "polylines")
FORMS = "help('embedseg.lanes.json_files') in Python shows the forms"
NAME_KEYS = ("name", "image", "image_name", "raw_file", "imagePath", "file")


def read_polylines(path: str | Path, size: Size | None = None) -> list[Lanes]:
    """Read the lanes of every picture in a file; `size` (H, W) serves where the file has none.

    Raises InputError for what is not JSON or not one of the forms above.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    found = []
    for number, item in enumerate(_objects(path), 1):
        try:
            found.append(from_object(item, size, path.name.removesuffix(".json")))
        except (ValueError, TypeError, LookupError) as error:
            raise InputError(f"{path}, picture {number}: {error}; {FORMS}") from error
    return found


def _objects(path: Path) -> list[Any]:
    text = path.read_text(encoding="utf-8", errors="replace")
    try:
        whole = json.loads(text)
    except json.JSONDecodeError as error:
        lines = [line for line in text.split("\n") if line.strip()]
        try:
            return [json.loads(line) for line in lines]
        except json.JSONDecodeError:
            raise InputError(f"{path}: not JSON ({error.msg}, line {error.lineno})") from error
    return whole if isinstance(whole, list) else [whole]


def from_object(item: Any, size: Size | None = None, name: str = "") -> Lanes:
    """Return the lanes of one picture's object; `size` and `name` serve where it has none."""
    if not isinstance(item, dict):
        raise ValueError(
            f"expected an object with the lanes of a picture, found {type(item).__name__}"
        )
    key = next((key for key in LANE_KEYS if key in item), None)
    if key is None:
        raise ValueError(f"no lanes; expected one of the keys {', '.join(LANE_KEYS)}")
    name = next((str(item[key]) for key in NAME_KEYS if item.get(key)), name)
    if "size" in item:
        size = (int(item["size"][0]), int(item["size"][1]))
    elif item.get("imageHeight"):
        size = (int(item["imageHeight"]), int(item["imageWidth"]))
    if size is not None and min(size) < 1:
        raise ValueError(f"size {list(size)}; it must be [height, width] in pixels")
    points = [_lane(lane) for lane in item[key]]
    lanes = lanes_of(points, size, name)
    if not {"ids", "time"} <= item.keys():  # no frame of a drive as `to_object` writes it
        return lanes
    if len(item["ids"]) != len(points):
        raise ValueError(f"{len(item['ids'])} ids for {len(points)} lanes")
    kept = tuple(int(number) for number, lane in zip(item["ids"], points, strict=True) if lane)
    return replace(lanes, ids=kept, time=float(item["time"]))


def _lane(lane: Any) -> list[Point]:
    """Return the points of one lane, whichever way they are written."""
    if isinstance(lane, dict) and "markers" in lane:
        return _along(
            [(_point(marker["pixel_start"]), _point(marker["pixel_end"]))
             for marker in lane["markers"]]
        )  # fmt: skip
    if isinstance(lane, dict):
        lane = lane["points"]
    return [_point(point) for point in lane]


def _along(markers: list[tuple[Point, Point]]) -> list[Point]:
    """Return the ends of LLAMAS' markers along the lane, which a file need not list in order."""
    up = bool(markers) and markers[0][0][1] >= markers[0][1][1]
    ordered = sorted(markers, key=lambda marker: marker[0][1], reverse=up)
    return [end for marker in ordered for end in marker]


def _point(point: Any) -> Point:
    if isinstance(point, dict):
        return float(point["x"]), float(point["y"])
    x, y = point
    return float(x), float(y)


def to_object(lanes: Lanes) -> dict[str, Any]:
    """Return the generic object of one picture's lanes; in a drive with its time and their ids."""
    item: dict[str, Any] = {"name": lanes.name}
    if lanes.size is not None:
        item["size"] = list(lanes.size)
    if lanes.time is not None:
        item |= {"time": round(lanes.time, 6), "ids": list(lanes.ids)}
    return item | {"lanes": [lane.tolist() for lane in lanes.points]}
