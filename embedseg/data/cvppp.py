"""The CVPPP leaf segmentation data: `plantNNN_rgb.png`, `plantNNN_label.png`, `plantNNN_fg.png`.

Format of the challenge (Minervini et al., Finely-grained annotated datasets for image-based plant
phenotyping, Pattern Recognition Letters 2016): RGB or RGBA pictures, palette PNG labels whose
index is the leaf, optional foreground masks, in folders A1, A2, ...
"""

from functools import partial
from pathlib import Path

from embedseg.data.pairs import Pair, load_by_name, proper
from embedseg.data.sample import Dataset
from embedseg.data.splits import find_splits, match_names, read_groups
from embedseg.io import InputError

RGB = "_rgb.png"
LABEL = "_label.png"
FOREGROUND = "_fg.png"
GROUPS_FILE = "plant_groups.json"


def cvppp(directory: str | Path) -> Dataset:
    """Open a folder of plants, or a folder of such folders A1, A2, ...

    With one folder of plants the names are `plant001`, with several `A1/plant001`. Plants without
    a label file (the challenge's test sets) are left out with a logged warning. The foreground
    mask becomes `semantic` where there is one. The split lists `train.txt`, `val.txt`, `test.txt`
    and the groups in `plant_groups.json` are read from `directory` or, where it has none and is
    itself a folder of plants, from its parent.
    Raises InputError where there is no labelled plant.
    """
    root = Path(directory)
    pairs = proper(cvppp_pairs(root))
    if not pairs:
        raise InputError(f"{root}: no plantNNN{RGB} with its plantNNN{LABEL}, nor in A1, A2, ...")
    names = list(pairs)
    splits, groups = find_splits(root, names), _groups(root, names)
    if _stems(root) and not (splits or groups):
        splits = find_splits(root.parent, names, partial=True)
        groups = _groups(root.parent, names, partial=True)
    return Dataset(names, partial(load_by_name, pairs), splits, groups)


def cvppp_pairs(root: Path) -> dict[str, Pair]:
    """Return all plants in a folder, or in its folders A1, A2, ..., also those that lack a file."""
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; give the one that holds *{RGB} or A1, A2, ...")
    folders = [root] if _stems(root) else [f for f in sorted(root.glob("A*")) if _stems(f)]
    pairs = {}
    for folder in folders:
        for stem in _stems(folder):
            name = f"{folder.name}/{stem}" if len(folders) > 1 else stem
            image, label, mask = (folder / (stem + end) for end in (RGB, LABEL, FOREGROUND))
            pairs[name] = Pair(
                name,
                (image,) if image.is_file() else (),
                (label,) if label.is_file() else (),
                mask if mask.is_file() else None,
                binary=True,
            )
    return pairs


def _stems(folder: Path) -> list[str]:
    """Return what stands before `_rgb.png` or `_label.png` in the files of a folder, sorted."""
    return sorted(
        {file.name.removesuffix(end) for end in (RGB, LABEL) for file in folder.glob("[!.]*" + end)}
    )


def _groups(root: Path, names: list[str], *, partial: bool = False) -> list[list[str]]:
    """Read the groups of plants that lie in `root`, where there are any."""
    path = root / GROUPS_FILE
    if not path.is_file():
        return []
    groups = (match_names(g, names, path, partial=partial) for g in read_groups(path))
    return [group for group in groups if group]
