"""CurveLanes and any folder of pictures with polyline labels in JSON (LLAMAS, labelme, generic)."""

import logging
from functools import partial
from pathlib import Path

from embedseg.data.lane_sample import LaneSample, lane_sample, load_lanes
from embedseg.data.sample import Dataset
from embedseg.io import InputError, read_image
from embedseg.lanes.json_files import FORMS, read_polylines
from embedseg.lanes.polylines import Lanes, Size

PICTURES = (".jpg", ".jpeg", ".png")
CURVELANES_SPLITS = {"train": "train", "valid": "val", "test": "test"}

_log = logging.getLogger(__name__)


def curvelanes(directory: str | Path, *, size: Size | None = None, width: float = 5.0) -> Dataset:
    """Open CurveLanes: `train`, `valid`, `test` with `images/*.jpg` and `labels/*.lines.json`.

    Names are paths of the pictures below `directory`; the split `val` is the folder `valid`.
    """
    root = Path(directory)
    labels: dict[str, Path] = {}
    splits: dict[str, list[str]] = {}
    for folder, split in CURVELANES_SPLITS.items():
        files = sorted((root / folder / "labels").glob("*.json"))
        pairs = {f: _picture(root / folder / "images", _stem(f)) for f in files}
        found = {str(p.relative_to(root)): f for f, p in pairs.items() if p is not None}
        _warn(root, len(files) - len(found))
        labels |= found
        splits |= {split: list(found)} if found else {}
    if not labels:
        raise InputError(
            f"{root}: no train/labels/*.json with train/images/*.jpg, nor in valid, test"
        )
    return Dataset(list(labels), partial(_load_file, root, labels, size, width), splits)


def polylines(where: str | Path, *, size: Size | None = None, width: float = 5.0) -> Dataset:
    """Open a JSON file of many pictures, or a folder of JSON files (at any depth).

    A picture is found by the name in its label, below the label file's folder or its folder
    `images`; or by the label file's own stem, beside it or in `images`; or as LLAMAS keeps it:
    `color_images/.../NAME_color_rect.png` for `labels/.../NAME.json`. Pictures that are missing
    are left out with a logged warning; the forms of the labels are those of
    `embedseg.lanes.json_files`. Raises InputError where a picture has two labels.
    """
    place = Path(where)
    files = sorted(place.rglob("*.json")) if place.is_dir() else [place]
    root = place if place.is_dir() else place.parent
    lanes: dict[str, Lanes] = {}
    missing = 0
    for file in files:
        for frame in read_polylines(file):
            picture = _named(file, frame.name)
            if picture is None:
                missing += 1
                continue
            name = str(picture.relative_to(root) if picture.is_relative_to(root) else picture)
            if name in lanes:
                raise InputError(f"{file}: {name} has a label already; keep one of the two")
            lanes[name] = frame
    _warn(place, missing)
    if not lanes:
        raise InputError(f"{place}: no JSON label with its picture; {FORMS}")
    return Dataset(list(lanes), partial(load_lanes, root, lanes, size, width))


def _named(file: Path, name: str) -> Path | None:
    """Return the picture that a label of `file` means by `name`, also as written on Windows."""
    name = name.replace("\\", "/")
    for folder in (file.parent, file.parent / "images", file.parent.parent / "images"):
        if (folder / name).suffix.lower() in PICTURES and (folder / name).is_file():
            return folder / name
        found = _picture(folder, _stem(file)) or _picture(folder, name)
        if found is not None:
            return found
    parts = list(file.parent.parts)
    if "labels" in parts:
        parts[len(parts) - 1 - parts[::-1].index("labels")] = "color_images"
    return _picture(Path(*parts), f"{file.stem}_color_rect")


def _stem(label: Path) -> str:
    """Return `a.b` of `a.b.lines.json` and of `a.b.json`."""
    return label.stem.removesuffix(".lines")


def _picture(folder: Path, stem: str) -> Path | None:
    return next((p for e in PICTURES if (p := folder / (stem + e)).is_file()), None)


def _warn(place: Path, missing: int) -> None:
    if missing:
        _log.warning("%s: %d labels have no picture: left out", place, missing)


def _load_file(
    root: Path, labels: dict[str, Path], size: Size | None, width: float, name: str
) -> LaneSample:
    (lanes,) = read_polylines(labels[name])[:1] or [Lanes(name=name)]
    return lane_sample(read_image(root / name), lanes, size=size, width=width, name=name)
