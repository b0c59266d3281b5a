"""Generic data: a folder of images and a folder of label images, paired by the files' stems."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from embedseg.data.pairs import LOSSY, Pair, load_by_name, no_labels, proper
from embedseg.data.sample import Dataset
from embedseg.data.splits import IMAGE_ENDINGS, find_splits
from embedseg.io import InputError
from embedseg.io.label_files import READ_SUFFIXES, bare_stem
from embedseg.names import composed

IMAGE_FOLDERS = ("images", "image", "imgs", "img")
LABEL_FOLDERS = ("labels", "label", "masks", "mask", "instances")
SEMANTIC_FOLDER = "semantic"


def folder(
    directory: str | Path | None = None,
    *,
    image_dir: str | Path | None = None,
    label_dir: str | Path | None = None,
    semantic_dir: str | Path | None = None,
) -> Dataset:
    """Open pairs of an image and a label image with the same stem (`a.jpg` and `a.png`).

    Or one that is marked (`a_mask.png`, `a_label.png`, beside `a.jpg` or `a_rgb.jpg`).

    Either `directory`, which holds `images/` and `labels/` (or img, masks, ... and, if it exists,
    `semantic/` with the class of each pixel, 255 = ignore), or the folders themselves under any
    name. An image without labels, or without classes where others have them, is left out with a
    logged warning, likewise labels without an image. Split lists `train.txt`, `val.txt`,
    `test.txt` are read from `directory`.
    Raises InputError for a missing folder, two files of one stem, or no pair at all.
    """
    pairs = proper(
        folder_pairs(directory, image_dir=image_dir, label_dir=label_dir, semantic_dir=semantic_dir)
    )
    if not pairs:
        root = Path(directory or str(image_dir))
        raise InputError(
            f"{root}: no image has the stem of a label file; a pair is called images/a.jpg and "
            f"labels/a.png{_likely_reason(root)}"
        )
    names = list(pairs)
    splits = find_splits(Path(directory), names) if directory is not None else {}
    return Dataset(names, partial(load_by_name, pairs), splits)


def folder_pairs(
    directory: str | Path | None = None,
    *,
    image_dir: str | Path | None = None,
    label_dir: str | Path | None = None,
    semantic_dir: str | Path | None = None,
) -> dict[str, Pair]:
    """Return all images and label files by stem, also those that lack their partner."""
    if (directory is None) != (image_dir is not None and label_dir is not None):
        raise ValueError("give either directory, or both image_dir and label_dir")
    if directory is not None:
        root = Path(directory)
        image_dir = image_dir or _one_of(root, IMAGE_FOLDERS)
        label_dir = label_dir or _one_of(root, LABEL_FOLDERS)
        if semantic_dir is None and (root / SEMANTIC_FOLDER).is_dir():
            semantic_dir = root / SEMANTIC_FOLDER
    images = _by_stem(image_dir, IMAGE_ENDINGS)
    labels = _called_as(images, _by_stem(label_dir, READ_SUFFIXES))
    others = {file for files in images.values() for file in files}  # where all lie in one folder
    lossy = _called_as(images, _by_stem(label_dir, tuple(LOSSY)))
    semantic = _called_as(images, _by_stem(semantic_dir, READ_SUFFIXES))
    return {
        stem: Pair(
            stem,
            tuple(images.get(stem, ())),
            tuple(labels.get(stem, ())),
            semantic[stem][0] if stem in semantic else None,
            classes=Path(semantic_dir) if semantic_dir is not None and semantic else None,
            lossy=next((file for file in lossy.get(stem, ()) if file not in others), None),
        )
        for stem in sorted(images.keys() | labels.keys())
    }


def _by_stem(directory: str | Path | None, endings: tuple[str, ...]) -> dict[str, list[Path]]:
    """Return the files of a folder with one of these endings, by stem, hidden ones left out."""
    files: dict[str, list[Path]] = {}
    if directory is None:
        return files
    if not Path(directory).is_dir():
        raise InputError(f"{directory}: no such folder")
    for file in sorted(Path(directory).iterdir()):
        if file.suffix.lower() in endings and not file.name.startswith("."):
            files.setdefault(composed(file.stem), []).append(file)
    return files


def _called_as(
    images: Mapping[str, list[Path]], labels: Mapping[str, list[Path]]
) -> dict[str, list[Path]]:
    """Return label files by the stems of their images, also those marked as labels by name."""
    found = {stem: [*files] for stem, files in labels.items() if stem in images}
    for stem, files in labels.items():
        if stem not in images:
            bare = bare_stem(stem)
            known = (name for name in (bare, f"{bare}_rgb") if name in images)
            name = next((name for name in known if name not in labels), stem)
            found.setdefault(name, []).extend(files)
    return found


def _likely_reason(root: Path) -> str:
    """Return what may be the matter with a folder without a pair, to be added to a sentence."""
    for name in (*LABEL_FOLDERS, *IMAGE_FOLDERS):
        for path in sorted((root / name).iterdir()) if (root / name).is_dir() else ():
            if path.is_dir():
                return (
                    f"; {path} is a folder in a folder and not read: give each such folder its own "
                    "data set, joined by ' + '"
                )
            if name in LABEL_FOLDERS and path.suffix.lower() in LOSSY:
                return f"; {no_labels(path)}"
    return ""


def _one_of(root: Path, names: tuple[str, ...]) -> Path:
    """Return the first of the folders `names` that exists in `root`."""
    if not root.is_dir():
        raise InputError(f"{root}: no such folder")
    for name in names:
        if (root / name).is_dir():
            return root / name
    advice = f"make one of the folders {', '.join(names)} in it"
    if root.name in (*IMAGE_FOLDERS, *LABEL_FOLDERS):
        advice = f"give the folder around it: {root.parent}"
    raise InputError(f"{root}: holds none of the folders {', '.join(names)}; {advice}")
