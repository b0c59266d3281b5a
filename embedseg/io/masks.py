"""Which file of a folder is the foreground mask of a picture."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from embedseg.errors import InputError
from embedseg.io.label_files import MARKS, SUFFIXES, read_labels
from embedseg.io.listing import IMAGE_SUFFIXES
from embedseg.io.pixels import read_stored
from embedseg.names import composed

ENDINGS = ("_fg", *MARKS, "")  # of a stem, the first goes before the others
JPEG_START = b"\xff\xd8\xff"
COLOURS = {"RGB": 3, "RGBA": 3, "LA": 1}  # channels without alpha


class Masks(NamedTuple):
    """The pictures and label files of a folder by stem, those in formats for labels first."""

    folder: Path
    files: Mapping[str, Sequence[Path]]

    @classmethod
    def of(cls, folder: Path) -> "Masks":
        """List a folder."""
        if not folder.is_dir():
            raise InputError(f"{folder}: no such folder of foreground masks; check the path")
        files: dict[str, list[Path]] = {}
        for path in sorted(folder.iterdir(), key=lambda p: (p.suffix.lower() not in SUFFIXES, p)):
            if path.suffix.lower() in IMAGE_SUFFIXES.union(SUFFIXES):
                files.setdefault(composed(path.stem), []).append(path)
        return cls(folder, files)

    def find(self, picture: Path) -> Path | None:
        """Return the mask of a picture, a file of its stem and never the picture itself, or None.

        A stem followed by _fg or one of MARKS goes before the bare one, the picture's
        own stem before the one without _rgb.
        """
        stem = composed(picture.stem)
        for wanted in (stem, stem.removesuffix("_rgb")):
            for ending in ENDINGS:
                for path in self.files.get(wanted + ending, ()):
                    if path.resolve() != picture.resolve():
                        return path
        return None

    def read(self, picture: Path) -> NDArray[np.bool_]:
        """Return the mask of a picture; see `find`. InputError where there is none."""
        path, stem = self.find(picture), composed(picture.stem)
        if path is None:
            raise InputError(
                f"{self.folder}: no foreground mask for {stem}; expected {stem}.png or "
                f"{stem}_fg.png"
            )
        return read_mask(path)


def refuse_shared(files: Mapping[Path, Path | None]) -> None:
    """Refuse a file that belongs, by its name, to several pictures (picture -> file); InputError.

    In folder trees pictures of one name are common (`well1/img.tif`, `well2/img.tif`).
    """
    owners: dict[Path, Path] = {}
    for picture, file in files.items():
        other = picture if file is None else owners.setdefault(file, picture)
        if other.resolve() != picture.resolve():
            raise InputError(
                f"{file} is by its name the file of {other} and of {picture}; give the pictures "
                "of one folder at a time, each folder with its own files"
            )


def read_mask(path: Path) -> NDArray[np.bool_]:
    """Return where a file (H, W) is not 0; where it holds colours, where one of them is not 0.

    Raises InputError for JPEG, which makes the black beside a border nearly black.
    """
    with path.open("rb") as file:
        if file.read(len(JPEG_START)) == JPEG_START:
            raise InputError(
                f"{path}: a JPEG is no mask, since it blurs borders; save masks as PNG or TIFF"
            )
    stored = read_stored(path)
    if stored.mode not in COLOURS:
        return np.asarray(read_labels(path) != 0)
    return np.asarray((stored.pixels[..., : COLOURS[stored.mode]] != 0).any(axis=-1))
