"""The eight pictures that everything drawn must cope with; real ones are read by path."""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from embedseg.data import open_dataset, resize
from embedseg.data.lanes_tusimple import tusimple
from embedseg.data.sample import Sample

from .scenes import discs, embed, photo

DATA = Path(os.environ.get("EMBEDSEG_DATA", Path(__file__).parents[3] / "shared" / "data"))


class Picture(NamedTuple):
    """One picture as a network would have left it; `labels` err on purpose where they can."""

    image: np.ndarray
    truth: np.ndarray
    labels: np.ndarray
    foreground: np.ndarray
    embedding: np.ndarray


def picture(image, truth, E=16):
    """A picture whose embedding knows the truth, blurred at borders as networks' are."""
    truth = np.maximum(truth, 0)
    embedding = embed(truth, E, spread=0.12, distance=1.2)
    embedding = ndimage.gaussian_filter(embedding, (0, 1.2, 1.2)).astype(np.float32)
    foreground = ndimage.gaussian_filter((truth > 0).astype(np.float32), 1.0)
    labels = np.where(foreground >= 0.5, truth, 0)
    ids = np.unique(labels[labels > 0])
    if len(ids) > 3:  # one merge and one miss
        labels = np.where(labels == ids[1], ids[0], np.where(labels == ids[-1], 0, labels))
    return Picture(image, truth, labels.astype(np.int32), foreground, embedding)


def _real(folder, spec, index, side):
    if not (DATA / folder).is_dir():
        return None
    found = resize(open_dataset(spec.format(DATA / folder))[index], side)
    return picture(found.image, found.labels)


def _lanes():
    if not (DATA / "lanes" / "tusimple").is_dir():
        return None
    found: Sample = tusimple(DATA / "lanes" / "tusimple", size=(288, 512), width=8.0)[0]
    return picture(found.image, found.labels, E=4)


def _plant():
    found = open_dataset("leaves:1,7,size=256")[0]
    return picture(found.image, found.labels)


def _nothing(image):
    return picture(image, np.zeros(image.shape[:2], np.int32), E=8)


GALLERY = {
    "generated plant": _plant,
    "real plant": lambda: _real("cvppp", "cvppp:{}", 40, 320),
    "nuclei": lambda: _real("nuclei", "folder:{}", 3, 256),
    "lanes": _lanes,
    "empty image": lambda: _nothing(np.zeros((96, 128, 3), np.uint8)),
    "one instance": lambda: picture(photo(discs(1, 160)), discs(1, 160), E=3),
    "300 instances": lambda: picture(photo(discs(300, 512)), discs(300, 512)),
    "no foreground": lambda: _nothing(photo(np.zeros((120, 160), np.int32))),
}
