"""Files that belong together: one picture, its labels, and maybe its classes."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from embedseg.data.sample import SEMANTIC_IGNORE, Sample
from embedseg.io import InputError, read_image, read_labels

_log = logging.getLogger(__name__)

LOSSY = {".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WebP"}  # formats that do not keep ids


@dataclass(frozen=True)
class Pair:
    """The files of one sample; a proper pair has one image and one label file.

    `binary` makes `semantic` 1 wherever its file is not 0 (a foreground mask). `classes` is the
    folder that holds the classes of other pictures, so that those of this one are wanted too;
    `lossy` is a file in place of labels, in a format that cannot hold ids.
    """

    name: str
    images: tuple[Path, ...]
    labels: tuple[Path, ...]
    semantic: Path | None = None
    binary: bool = False
    classes: Path | None = None
    lossy: Path | None = None

    def problem(self) -> str | None:
        """Say in one sentence why this is no proper pair, or return None."""
        for files, what in ((self.images, "image"), (self.labels, "label file")):
            if len(files) > 1:
                others = ", ".join(file.name for file in files[1:])
                return f"{files[0]}: {others} is the {what} of the same name; keep one of them"
        if not self.labels and self.lossy is not None:
            return f"{self.images[0]}: {no_labels(self.lossy)}"
        if not self.labels:
            return f"{self.images[0]}: has no label file"
        if not self.images:
            return f"{self.labels[0]}: has no image"
        if self.classes is not None and self.semantic is None:
            return f"{self.images[0]}: has no file in {self.classes}, which holds those of others"
        return None

    def load(self) -> Sample:
        """Read the files.

        Raises InputError where they are no proper pair, one is unreadable, sizes differ, or a
        class is above 255.
        """
        problem = self.problem()
        if problem:
            raise InputError(problem)
        image = read_image(self.images[0])
        labels = self._fitting(self.labels[0], image)
        classes = None if self.semantic is None else self._classes(self.semantic, image)
        return Sample(image, labels, classes, self.name)

    def _fitting(self, path: Path, image: NDArray[np.uint8]) -> NDArray[np.int32]:
        labels = read_labels(path)
        if labels.shape != image.shape[:2]:
            raise InputError(
                f"{path}: is {labels.shape[1]} x {labels.shape[0]} but its image "
                f"{self.images[0].name} is {image.shape[1]} x {image.shape[0]}; they must have the "
                "same width and height"
            )
        return labels

    def _classes(self, path: Path, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        classes = self._fitting(path, image)
        if self.binary:
            return np.asarray(classes != 0, np.uint8)
        if classes.min() < 0 or classes.max() > SEMANTIC_IGNORE:
            raise InputError(
                f"{path}: classes must be 0..254, or 255 for ignore; found "
                f"{classes.min()}..{classes.max()}"
            )
        return np.asarray(classes, np.uint8)


def proper(pairs: Mapping[str, Pair]) -> dict[str, Pair]:
    """Return the proper pairs; one that lacks a file is left out with a logged warning.

    Raises InputError where two files have one name, for there is no telling which is meant.
    """
    kept = {}
    for name, pair in pairs.items():
        problem = pair.problem()
        if problem is None:
            kept[name] = pair
        elif max(len(pair.images), len(pair.labels)) > 1:
            raise InputError(problem)
        else:
            _log.warning("%s: left out", problem)
    return kept


def no_labels(file: Path) -> str:
    """Say why a file in one of the LOSSY formats holds no labels."""
    kind = LOSSY[file.suffix.lower()]
    return f"{file} is no label file: {kind} changes ids, save labels as PNG or TIFF"


def load_by_name(pairs: Mapping[str, Pair], name: str) -> Sample:
    """Read one of the pairs."""
    return pairs[name].load()
