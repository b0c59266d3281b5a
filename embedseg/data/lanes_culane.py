"""CULane: pictures with a `.lines.txt` beside each, list files in `list/`, optional masks."""

import logging
from functools import partial
from pathlib import Path

from embedseg.data.geometry import resize
from embedseg.data.lane_sample import lane_sample
from embedseg.data.sample import Dataset, Sample
from embedseg.io import InputError, read_image, read_labels
from embedseg.lanes.culane import ENDING, lines_path, read_categories, read_culane, read_list
from embedseg.lanes.polylines import Size

LISTS = {
    "train": ("train_gt.txt", "train.txt"),
    "val": ("val_gt.txt", "val.txt"),
    "test": ("test.txt",),
}
MASKS = "laneseg_label_w16"  # folder of label images, 1 to 4 by the lane's place

_log = logging.getLogger(__name__)


def culane(
    directory: str | Path, *, size: Size | None = None, width: float = 5.0, masks: bool = False
) -> Dataset:
    """Open the pictures of the list files, or all that have a `.lines.txt` where there is no list.

    Names are paths below `directory` with a leading slash, as in most lists. `size` (h, w) to load
    at (None: the picture's own), `width` of the strokes in its pixels. `masks`: take the labels
    from the label images in `laneseg_label_w16/` instead (four lanes at most). Splits: `train`,
    `val`, `test`, and the categories of `list/test_split/` such as `normal` and `cross`.
    Raises InputError where nothing is found.
    """
    root = Path(directory)
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; give the one that holds list/ and driver_*")
    splits = _splits(root)
    names = list(dict.fromkeys(name for part in splits.values() for name in part))
    if not splits:
        names = sorted("/" + str(p.relative_to(root)) for p in _labelled(root))
    present = [name for name in names if (root / name.lstrip("/")).is_file()]
    if len(present) < len(names):
        _log.warning(
            "%s: %d listed pictures are missing: left out", root, len(names) - len(present)
        )
    if not present:
        raise InputError(f"{root}: no picture with a {ENDING} beside it, and no list/ names one")
    known = set(present)
    splits = {split: [name for name in part if name in known] for split, part in splits.items()}
    load = partial(_load_mask, root, size) if masks else partial(_load, root, size, width)
    return Dataset(present, load, {split: part for split, part in splits.items() if part})


def _splits(root: Path) -> dict[str, list[str]]:
    splits = {}
    for split, files in LISTS.items():
        path = next((root / "list" / f for f in files if (root / "list" / f).is_file()), None)
        if path is not None:
            splits[split] = read_list(path)
    splits |= read_categories(root / "list" / "test_split")
    return {
        split: ["/" + name.lstrip("/") for name in names]  # those of categories have no slash
        for split, names in splits.items()
    }


def _labelled(root: Path) -> list[Path]:
    """Return the pictures that have a label file beside them."""
    stems = (path.with_name(path.name.removesuffix(ENDING)) for path in root.rglob("*" + ENDING))
    pictures = (stem.with_name(stem.name + ending) for stem in stems for ending in (".jpg", ".png"))
    return [picture for picture in pictures if picture.is_file()]


def _load(root: Path, size: Size | None, width: float, name: str) -> Sample:
    path = root / name.lstrip("/")
    image = read_image(path)
    shape = (image.shape[0], image.shape[1])
    lanes = read_culane(lines_path(path), shape, name)
    return lane_sample(image, lanes, size=size, width=width, name=name)


def _load_mask(root: Path, size: Size | None, name: str) -> Sample:
    image = read_image(root / name.lstrip("/"))
    path = (root / MASKS / name.lstrip("/")).with_suffix(".png")
    labels = read_labels(path)
    if labels.shape != image.shape[:2]:
        raise InputError(
            f"{path}: is {labels.shape} but its picture {image.shape[:2]}; same size needed"
        )
    sample = Sample(image, labels, None, name)
    return sample if size is None else resize(sample, size)
