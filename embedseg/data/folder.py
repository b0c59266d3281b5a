"""Generic data: a folder of images and a folder of label images, paired by the files' stems."""

import logging
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from embedseg.data.sample import SEMANTIC_IGNORE, Dataset, Sample
from embedseg.data.splits import find_splits
from embedseg.io import InputError, read_image, read_labels

IMAGE_ENDINGS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp", ".npy")
LABEL_ENDINGS = (".png", ".tif", ".tiff", ".npy", ".bmp")
IMAGE_FOLDERS = ("images", "image", "imgs", "img")
LABEL_FOLDERS = ("labels", "label", "masks", "mask", "instances")

_log = logging.getLogger(__name__)


def folder(
    directory: str | Path | None = None,
    *,
    image_dir: str | Path | None = None,
    label_dir: str | Path | None = None,
    semantic_dir: str | Path | None = None,
) -> Dataset:
    """Open pairs of an image and a label image with the same stem (`a.jpg` and `a.png`).

    Either `directory`, which holds `images/` and `labels/` (or img, masks, ... and, if it exists,
    `semantic/` with the class of each pixel, 255 = ignore), or the folders themselves under any
    name. An image without labels is left out with a logged warning, likewise labels without an
    image. Split lists `train.txt`, `val.txt`, `test.txt` are read from `directory`.
    Raises InputError for a missing folder, two files of one stem, or no pair at all.
    """
    if (directory is None) == (image_dir is None and label_dir is None):
        raise ValueError("give either directory, or both image_dir and label_dir")
    images, labels, semantic = find_folders(directory, image_dir, label_dir, semantic_dir)
    image_files, label_files = by_stem(images, IMAGE_ENDINGS), by_stem(labels, LABEL_ENDINGS)
    for stem in sorted(image_files.keys() ^ label_files.keys()):
        lonely = image_files.get(stem) or label_files[stem]
        _log.warning("%s has no partner: left out", lonely)
    names = sorted(image_files.keys() & label_files.keys())
    if not names:
        raise InputError(
            f"{images}: none of {len(image_files)} images has the stem of one of the "
            f"{len(label_files)} label files in {labels}; a pair is called a.jpg and a.png"
        )
    pairs = {name: (image_files[name], label_files[name]) for name in names}
    classes = by_stem(semantic, LABEL_ENDINGS) if semantic else {}
    splits = find_splits(Path(directory), names) if directory is not None else {}
    return Dataset(names, partial(_load, pairs, classes), splits)


def find_folders(
    directory: str | Path | None,
    image_dir: str | Path | None = None,
    label_dir: str | Path | None = None,
    semantic_dir: str | Path | None = None,
) -> tuple[Path, Path, Path | None]:
    """Return the folders of images, labels and, if there is one, classes; all exist."""
    root = None if directory is None else Path(directory)
    images = _one_of(root, IMAGE_FOLDERS) if image_dir is None else Path(image_dir)
    labels = _one_of(root, LABEL_FOLDERS) if label_dir is None else Path(label_dir)
    semantic = None if semantic_dir is None else Path(semantic_dir)
    if semantic is None and root is not None and (root / "semantic").is_dir():
        semantic = root / "semantic"
    for path in (images, labels, semantic):
        if path is not None and not path.is_dir():
            raise InputError(f"{path}: no such folder")
    return images, labels, semantic


def by_stem(path: Path, endings: tuple[str, ...]) -> dict[str, Path]:
    """Return the files of a folder with one of these endings, by stem, hidden ones left out."""
    files: dict[str, Path] = {}
    for file in sorted(path.iterdir()):
        if file.suffix.lower() not in endings or file.name.startswith("."):
            continue
        if file.stem in files:
            raise InputError(f"{file}: {files[file.stem].name} has the same stem; keep one of them")
        files[file.stem] = file
    return files


def load_pair(
    name: str, image: Path, labels: Path, *, semantic: Path | None = None, binary: bool = False
) -> Sample:
    """Read the files of one sample; `binary` makes `semantic` 1 wherever its file is not 0.

    Raises InputError where a file is unreadable, sizes differ, or a class is above 255.
    """
    pixels, ids = read_image(image), read_labels(labels)
    classes = None if semantic is None else read_labels(semantic)
    for file, array in ((labels, ids), (semantic, classes)):
        if array is not None and array.shape != pixels.shape[:2]:
            raise InputError(
                f"{file}: is {_size(array.shape)} but its image {image.name} is "
                f"{_size(pixels.shape)}; they must have the same width and height"
            )
    return Sample(pixels, ids, _as_classes(classes, semantic, binary=binary), name)


def _as_classes(
    classes: NDArray[np.int32] | None, path: Path | None, *, binary: bool
) -> NDArray[np.uint8] | None:
    if classes is None:
        return None
    if binary:
        return np.asarray(classes != 0, np.uint8)
    if classes.min() < 0 or classes.max() > SEMANTIC_IGNORE:
        raise InputError(
            f"{path}: classes must be 0..254, or 255 for ignore; found "
            f"{classes.min()}..{classes.max()}"
        )
    return np.asarray(classes, np.uint8)


def _load(pairs: dict[str, tuple[Path, Path]], classes: dict[str, Path], name: str) -> Sample:
    image, labels = pairs[name]
    return load_pair(name, image, labels, semantic=classes.get(name))


def _one_of(root: Path | None, names: tuple[str, ...]) -> Path:
    """Return the first of the folders `names` that exists in `root`."""
    if root is None:
        raise ValueError("give both image_dir and label_dir, or directory")
    if not root.is_dir():
        raise InputError(f"{root}: no such folder")
    for name in names:
        if (root / name).is_dir():
            return root / name
    raise InputError(f"{root}: holds none of the folders {', '.join(names)}; name it by an option")


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]} x {shape[0]}"
