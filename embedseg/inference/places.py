"""Places in a picture as several views and networks see them, brought to one frame and averaged.

An embedding of the method "spatial" is the place its pixel points to, with a bandwidth. A flip or a
turn moves places with the picture, and another working size stretches them; once that is undone,
every view speaks of the same picture, and the mean of what they say is a place again. A precision
ln(1 / (2 sigma^2)) is averaged too, which takes the geometric mean of the bandwidths.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch

from embedseg.inference.spec import ModelSpec
from embedseg.inference.views import View

SIDE = 20.0  # units of the longer side of a picture without `place_unit`, as models/spatial.py has
Maps = Mapping[str, torch.Tensor]


class Frame(NamedTuple):
    """A grid (h, w) of output pixels, `step` units of place apart."""

    grid: tuple[int, int]
    step: float


def frame_of(spec: ModelSpec, size: Sequence[int]) -> Frame:
    """Return the frame in which a network of `spec` places the pixels of a picture of `size`."""
    stride, unit = spec.output_stride, spec.place_unit or max(size) / SIDE
    return Frame((-(-size[0] // stride), -(-size[1] // stride)), stride / unit)


def straighten(maps: Maps, view: View, step: float) -> dict[str, torch.Tensor]:
    """Return `maps`, whose pixels `unlook` has put in order, with their places turned back too.

    `embedding` (2, h, w) holds x and y of places, `log_precision` (2, h, w) one value for each.
    """
    turns, flip = view
    x, y = maps["embedding"]
    height, width = (x.shape[1], x.shape[0]) if turns % 2 else (x.shape[0], x.shape[1])
    if flip:
        x = (width - 1) * step - x
    for _ in range(turns):  # each against the clock: what was the right end is the top
        x, y = (height - 1) * step - y, x
        height, width = width, height
    precision = maps["log_precision"]
    return {
        **maps,
        "embedding": torch.stack([x, y]),
        "log_precision": precision.flip(0) if turns % 2 else precision,
    }


def moved(maps: Maps, here: Frame, there: Frame) -> dict[str, torch.Tensor]:
    """Return `maps` with their places and precisions as another frame of the picture counts them.

    The maps stay on their grid. Both grids cover the same picture, so their pixels' corners meet.
    """
    places, precisions = [], []
    for axis, grow in enumerate(there.grid[k] / here.grid[k] for k in (1, 0)):  # x, then y
        places.append(((maps["embedding"][axis] / here.step + 0.5) * grow - 0.5) * there.step)
        factor = grow * there.step / here.step
        precisions.append(maps["log_precision"][axis] - 2 * math.log(factor))
    return {**maps, "embedding": torch.stack(places), "log_precision": torch.stack(precisions)}
