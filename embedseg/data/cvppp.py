"""The CVPPP leaf segmentation data: `plantNNN_rgb.png`, `plantNNN_label.png`, `plantNNN_fg.png`.

Format of the challenge (Minervini et al., Finely-grained annotated datasets for image-based plant
phenotyping, Pattern Recognition Letters 2016): RGB or RGBA pictures, palette PNG labels whose
index is the leaf, optional foreground masks, in folders A1, A2, ...
"""

import logging
from functools import partial
from pathlib import Path

from embedseg.data.folder import load_pair
from embedseg.data.sample import Dataset, Sample
from embedseg.data.splits import find_splits, match_names, read_groups
from embedseg.io import InputError

RGB = "_rgb.png"
LABEL = "_label.png"
FOREGROUND = "_fg.png"
GROUPS_FILE = "plant_groups.json"

_log = logging.getLogger(__name__)


def cvppp(directory: str | Path) -> Dataset:
    """Open a folder of plants, or a folder of such folders A1, A2, ...

    With one folder of plants the names are `plant001`, with several `A1/plant001`. Plants without
    a label file (the challenge's test sets) are left out with a logged warning. The split lists
    `train.txt`, `val.txt`, `test.txt` and the groups in `plant_groups.json` are read from
    `directory` or, where it has none and is itself a folder of plants, from its parent.
    Raises InputError where there is no labelled plant.
    """
    root = Path(directory)
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; give the one that holds *{RGB} or A1, A2, ...")
    folders = [root] if _plants(root) else [f for f in sorted(root.glob("A*")) if _plants(f)]
    files: dict[str, Path] = {}
    for folder in folders:
        for stem in _plants(folder):
            if (folder / (stem + LABEL)).is_file():
                files[f"{folder.name}/{stem}" if len(folders) > 1 else stem] = folder / stem
            else:
                _log.warning("%s has no label file: left out", folder / (stem + RGB))
    if not files:
        raise InputError(f"{root}: no plantNNN{RGB} with its plantNNN{LABEL}, nor in A1, A2, ...")

    names = list(files)
    splits, groups = find_splits(root, names), _groups(root, names)
    if folders == [root] and not (splits or groups):
        splits = find_splits(root.parent, names, partial=True)
        groups = _groups(root.parent, names, partial=True)
    return Dataset(names, partial(_load, files), splits, groups)


def _plants(folder: Path) -> list[str]:
    """Return what stands before `_rgb.png` in the files of a folder, sorted."""
    return sorted(path.name.removesuffix(RGB) for path in folder.glob("*" + RGB))


def _load(files: dict[str, Path], name: str) -> Sample:
    """Read one plant; `semantic` is the foreground mask where there is one, else None."""
    stem = files[name]
    foreground = stem.with_name(stem.name + FOREGROUND)
    return load_pair(
        name,
        stem.with_name(stem.name + RGB),
        stem.with_name(stem.name + LABEL),
        semantic=foreground if foreground.is_file() else None,
        binary=True,
    )


def _groups(root: Path, names: list[str], *, partial: bool = False) -> list[list[str]]:
    """Read the groups of plants that lie in `root`, where there are any."""
    path = root / GROUPS_FILE
    if not path.is_file():
        return []
    groups = (match_names(g, names, path, partial=partial) for g in read_groups(path))
    return [group for group in groups if group]
