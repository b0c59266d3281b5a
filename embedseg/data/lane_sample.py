"""A road picture with its lanes: `LaneSample`, whose labels are the lanes drawn as strokes."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from embedseg.data.sample import Sample
from embedseg.io import read_image
from embedseg.lanes.polylines import Lanes, Size, resized
from embedseg.resizing import resize_image


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
        lanes = replace(lanes, size=shape)
    size = size or shape
    placed = resized(lanes, size)
    from embedseg.lanes.masks import draw_lanes  # numba: not at import

    labels = draw_lanes(placed, width=width)
    return LaneSample(resize_image(image, size), labels, None, name, placed, width)


def load_lanes(
    root: Path, lanes: Mapping[str, Lanes], size: Size | None, width: float, name: str
) -> LaneSample:
    """Read one of the pictures below `root`; the others of these `lanes` have other names."""
    return lane_sample(read_image(root / name), lanes[name], size=size, width=width, name=name)
