"""TuSimple: a folder with `clips/` and label files of JSON lines."""

import logging
from functools import partial
from pathlib import Path

from embedseg.data.lane_sample import load_lanes
from embedseg.data.sample import Dataset
from embedseg.io import InputError
from embedseg.lanes.polylines import Lanes, Size
from embedseg.lanes.tusimple import read_tusimple

SPLITS = {  # the customary ones
    "train": ("label_data_0313", "label_data_0601"),
    "val": ("label_data_0531",),
    "test": ("test_label",),
}

_log = logging.getLogger(__name__)


def tusimple(directory: str | Path, *, size: Size | None = None, width: float = 5.0) -> Dataset:
    """Open all labelled frames; names are the paths in the label files, `clips/.../20.jpg`.

    `size` (h, w) to load pictures at (None: their own), `width` of the strokes in its pixels.
    Label files are the `*.json` of the folder; each is a split by its stem, and `train`, `val`,
    `test` are the customary ones. Frames whose picture is missing are left out with a logged
    warning. Raises InputError where there is no label file or none of the pictures.
    """
    root = Path(directory)
    files = sorted(root.glob("*.json"))
    if not files:
        raise InputError(
            f"{root}: no label file *.json; give the folder that holds clips/ and them"
        )
    lanes: dict[str, Lanes] = {}
    splits: dict[str, list[str]] = {}
    missing = 0
    for file in files:
        frames = read_tusimple(file)
        found = [frame for frame in frames if (root / frame.name).is_file()]
        missing += len(frames) - len(found)
        lanes |= {frame.name: frame for frame in found}
        splits[file.stem] = [frame.name for frame in found]
    if missing:
        _log.warning("%s: %d labelled frames have no picture: left out", root, missing)
    if not lanes:
        raise InputError(f"{root}: none of the {missing} labelled frames has its picture below it")
    for split, stems in SPLITS.items():
        names = [name for stem in stems for name in splits.get(stem, [])]
        splits |= {split: names} if names else {}
    return Dataset(list(lanes), partial(load_lanes, root, lanes, size, width), splits)
