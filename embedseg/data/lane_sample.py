"""A road picture with its lanes: `LaneSample`, whose labels are the lanes drawn as strokes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from embedseg._cv2 import cv2
from embedseg.data.sample import Sample
from embedseg.io import read_image
from embedseg.lanes.polylines import Lanes, Size, resized


@dataclass(frozen=True, eq=False)
class LaneSample(Sample):
    """A `Sample` that keeps its lanes, so that augmentation can move and draw them anew.

    `lanes` in the image's pixels; `width` of the strokes in `labels`, in pixels.
    """

    lanes: Lanes = field(default_factory=Lanes)
    width: float = 5.0


def lane_sample(
    image: NDArray[np.uint8],
    lanes: Lanes,
    *,
    size: Size | None = None,
    width: float = 5.0,
    name: str = "",
) -> LaneSample:
    """Return the sample of a picture (H, W, 3) and its lanes, both resized to `size` (h, w).

    Lanes of another size than the picture's (a label file knows only its own) are resized too.
    Strokes are `width` pixels wide at the size of the result.
    """
    shape = (image.shape[0], image.shape[1])
    if lanes.size is None:
        lanes = Lanes(lanes.points, shape, lanes.name, lanes.ids, lanes.time)
    size = size or shape
    if size != shape:
        shrinks = size[0] * size[1] < shape[0] * shape[1]
        how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        image = np.asarray(cv2.resize(image, size[::-1], interpolation=how), np.uint8)
    placed = resized(lanes, size)
    from embedseg.lanes.masks import draw_lanes  # numba: not at import

    return LaneSample(image, draw_lanes(placed, width=width), None, name, placed, width)


def load_lanes(
    root: Path, lanes: Mapping[str, Lanes], size: Size | None, width: float, name: str
) -> LaneSample:
    """Read one of the pictures below `root`; the others of these `lanes` have other names."""
    return lane_sample(read_image(root / name), lanes[name], size=size, width=width, name=name)
