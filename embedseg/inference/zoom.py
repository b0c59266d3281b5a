"""A second, closer look: find the objects' part of the picture, then show the network that alone.

A plant may fill a third of its picture; at the network's working size its young leaves are then a
few pixels. The first pass sees the whole picture and gives the foreground's box, the second one the
box with a margin around it at the same working size. Its outputs are laid on a canvas of the whole
picture at their own scale, background around them, so that all that follows knows of one grid. The
picture itself is brought to that scale before it is cut, so that not a part of a pixel is lost.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from embedseg.inference.grids import resize_map
from embedseg.inference.segment import Picture, probabilities
from embedseg.inference.spec import ModelSpec
from embedseg.resizing import resize_image

Look = Callable[[Picture], Mapping[str, torch.Tensor]]
Box = tuple[slice, slice]
LEAST_PART = 0.25  # of the picture's longer side that is looked at: a canvas has its size over this
NEVER = -20.0  # logit of what lies outside the box


def zoomed_outputs(
    image: Picture,
    spec: ModelSpec,
    glance: Look,
    look: Look,
    foreground: NDArray[Any] | None = None,
) -> dict[str, torch.Tensor]:
    """Return the outputs of `look` at the objects' part of `image` (H, W, 3), on a whole canvas.

    `glance`, which is asked for the foreground alone, sees a picture at the working size, `look`
    one as it is. Where no foreground is found the part is the whole picture. If a `foreground`
    (H, W) is given that reaches beyond the part, the part holds both.
    """
    probability = 1 - probabilities(glance(image)["semantic"])[0]
    found = large_pieces(probability > spec.foreground_threshold, spec.least_size)
    size = (image.shape[0], image.shape[1])
    canvas, part = place(found, spec, size)
    if foreground is not None and not holds(part, canvas, np.asarray(foreground) != 0):
        given = resize_map((np.asarray(foreground) != 0).astype(np.float32), found.shape)
        canvas, part = place(found | (given > 0), spec, size)
    outputs = look(np.ascontiguousarray(resize_image(image, canvas)[part]))
    return on_canvas(outputs, part, canvas, spec.output_stride)


def place(
    mask: NDArray[np.bool_], spec: ModelSpec, size: tuple[int, int]
) -> tuple[tuple[int, int], Box]:
    """Return the shape of a canvas for a picture of `size`, and the part of it to look at.

    At the canvas's scale the part holds the whole box, begins at a multiple of `output_stride` and
    has the working size as its longer side, or less by up to twice the stride (if that is small
    beside it).
    """
    box = box_around(mask, spec.zoom, size, least=LEAST_PART * max(size))
    goal = cast(int, spec.working_size)
    for room in (goal, max(1, goal - spec.output_stride)):
        canvas, part = _scaled(box, room / max(s.stop - s.start for s in box), size, spec)
        if max(s.stop - s.start for s in part) <= goal:
            break
    return canvas, part


def _scaled(
    box: Box, scale: float, size: tuple[int, int], spec: ModelSpec
) -> tuple[tuple[int, int], Box]:
    stride = spec.output_stride
    canvas = (max(1, round(size[0] * scale)), max(1, round(size[1] * scale)))
    part = [
        slice(int(s.start * scale) // stride * stride, min(whole, math.ceil(s.stop * scale)))
        for s, whole in zip(box, canvas, strict=True)
    ]
    return canvas, (part[0], part[1])


def holds(part: Box, canvas: tuple[int, int], mask: NDArray[np.bool_]) -> bool:
    """Tell whether all True pixels of `mask` (H, W) lie in a part of the canvas, to the pixel."""
    for places, side, full, whole in zip(np.nonzero(mask), part, canvas, mask.shape, strict=True):
        scale = full / whole
        if len(places) and (
            places.min() * scale < side.start - 1 or (places.max() + 1) * scale > side.stop + 1
        ):
            return False
    return True


def large_pieces(mask: NDArray[np.bool_], least: int) -> NDArray[np.bool_]:
    """Return `mask` without connected pieces of fewer than `least` pixels."""
    pieces, _ = ndimage.label(mask)
    kept = np.bincount(pieces.ravel()) >= least
    kept[0] = False
    return np.asarray(kept[pieces])


def box_around(
    mask: NDArray[np.bool_], margin: float, size: tuple[int, int], least: float = 0.0
) -> Box:
    """Return where, in a picture of `size`, a square of `margin` times the mask's extent lies.

    `mask` (h, w) covers the picture on any grid. The square's side is at least `least`; it is cut
    at the picture's borders; an empty mask gives the whole picture.
    """
    rows, columns = np.nonzero(mask)
    if not len(rows):
        return slice(0, size[0]), slice(0, size[1])
    ranges = [
        np.array([places.min(), places.max() + 1]) * (full / coarse)
        for places, full, coarse in zip((rows, columns), size, mask.shape, strict=True)
    ]
    half = 0.5 * max(margin * max(high - low for low, high in ranges), least)
    ends = [
        (max(0, int(middle - half)), min(full, int(np.ceil(middle + half))))
        for middle, full in ((r.mean(), s) for r, s in zip(ranges, size, strict=True))
    ]
    return slice(*ends[0]), slice(*ends[1])


def on_canvas(
    outputs: Mapping[str, torch.Tensor], part: Box, canvas: tuple[int, int], stride: int
) -> dict[str, torch.Tensor]:
    """Return outputs (C, h, w) of the `part` of a `canvas`, at 1/`stride`, as outputs of it all.

    Around the part embeddings are 0, and the logits say background.
    """
    size = [-(-full // stride) for full in canvas]
    row, column = (s.start // stride for s in part)
    found = {}
    for name, value in outputs.items():
        filling = torch.zeros(len(value), 1, 1)
        if name in ("semantic", "seed", "centre"):
            filling = filling + NEVER
            if len(value) > 1:
                filling[0] = -NEVER  # the class background of a softmax
        found[name] = filling.to(value).repeat(1, *size)
        found[name][:, row : row + value.shape[1], column : column + value.shape[2]] = value
    return found
