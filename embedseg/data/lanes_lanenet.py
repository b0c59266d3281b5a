"""LaneNet's folder layout: `image`, `gt_binary_image`, `gt_instance_image`, PNGs of one name."""

from functools import partial
from pathlib import Path

from embedseg.data.geometry import resize
from embedseg.data.pairs import Pair, load_by_name, proper
from embedseg.data.sample import Dataset, Sample
from embedseg.data.splits import match_names
from embedseg.io import InputError
from embedseg.lanes.polylines import Size

IMAGES = ("gt_image", "image")
BINARY, INSTANCE = "gt_binary_image", "gt_instance_image"
ENDINGS = (".png", ".jpg", ".jpeg")


def lanenet(directory: str | Path, *, size: Size | None = None) -> Dataset:
    """Open pictures whose lanes are grey values of an instance PNG (0 is background).

    `semantic` is the binary mask (not 0 is lane). `size` (h, w) to load at: labels take the nearest
    pixel. Splits are `train.txt` and `val.txt`, of which the first word of a line counts, by its
    stem. Raises InputError where the folders are missing or share no name.
    """
    root = Path(directory)
    images = next((root / name for name in IMAGES if (root / name).is_dir()), None)
    if images is None or not (root / INSTANCE).is_dir():
        raise InputError(f"{root}: holds no image/ (or gt_image/) with {INSTANCE}/ beside it")
    pictures, instances, binary = (_by_stem(f) for f in (images, root / INSTANCE, root / BINARY))
    pairs = proper(
        {
            stem: Pair(
                stem,
                tuple(pictures.get(stem, ())),
                tuple(instances.get(stem, ())),
                semantic=binary[stem][0] if stem in binary else None,
                binary=True,
            )
            for stem in sorted(pictures.keys() | instances.keys())
        }
    )
    if not pairs:
        raise InputError(
            f"{root}: no picture in {images.name}/ has a PNG of its name in {INSTANCE}/"
        )
    names = list(pairs)
    splits = {}
    for split in ("train", "val", "test"):
        path = root / f"{split}.txt"
        if path.is_file():
            lines = path.read_text(encoding="utf-8").split("\n")
            stems = [Path(line.split()[0]).stem for line in lines if line.split()]
            splits[split] = match_names(stems, names, path, partial=True)
    return Dataset(names, partial(_load, pairs, size), splits)


def _by_stem(folder: Path) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for file in sorted(folder.iterdir()) if folder.is_dir() else ():
        if file.suffix.lower() in ENDINGS:
            found.setdefault(file.stem, []).append(file)
    return found


def _load(pairs: dict[str, Pair], size: Size | None, name: str) -> Sample:
    sample = load_by_name(pairs, name)
    return sample if size is None else resize(sample, size)
