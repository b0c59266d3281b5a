"""A second, closer look: find the objects' part of the picture, then show the network that alone.

A plant may fill a third of its picture; at the network's working size its young leaves are then a
few pixels. The first pass sees the whole picture and gives the foreground's box, the second one the
box with a margin around it at the same working size. Its outputs are laid on a canvas of the whole
picture at their own scale, background around them, so that all that follows knows of one grid.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from embedseg.inference.segment import Picture, probabilities
from embedseg.inference.spec import ModelSpec

Look = Callable[[Picture], Mapping[str, torch.Tensor]]
Box = tuple[slice, slice]
NEVER = -20.0  # logit of what lies outside the box


def zoomed_outputs(
    image: Picture, spec: ModelSpec, glance: Look, look: Look
) -> dict[str, torch.Tensor]:
    """Return the outputs of `look` at the objects' part of `image` (H, W, 3), on a whole canvas.

    `glance`, which is looked at for the foreground alone, and `look` are the network, on a picture
    of any size. Where no foreground is found the result is that of `look` at the whole picture.
    """
    probability = 1 - probabilities(glance(image)["semantic"])[0]
    found = large_pieces(probability > spec.foreground_threshold, spec.min_size)
    box = box_around(found, spec.zoom, (image.shape[0], image.shape[1]))
    part = look(np.ascontiguousarray(image[box]))
    return on_canvas(part, box, (image.shape[0], image.shape[1]))


def large_pieces(mask: NDArray[np.bool_], least: int) -> NDArray[np.bool_]:
    """Return `mask` without connected pieces of fewer than `least` pixels."""
    pieces, _ = ndimage.label(mask)
    kept = np.bincount(pieces.ravel()) >= least
    kept[0] = False
    return np.asarray(kept[pieces])


def box_around(mask: NDArray[np.bool_], margin: float, size: tuple[int, int]) -> Box:
    """Return where, in a picture of `size`, a square of `margin` times the mask's extent lies.

    `mask` (h, w) covers the picture on any grid. The square is cut at the picture's borders; an
    empty mask gives the whole picture.
    """
    rows, columns = np.nonzero(mask)
    if not len(rows):
        return slice(0, size[0]), slice(0, size[1])
    ranges = [
        np.array([places.min(), places.max() + 1]) * (full / coarse)
        for places, full, coarse in zip((rows, columns), size, mask.shape, strict=True)
    ]
    half = 0.5 * margin * max(high - low for low, high in ranges)
    ends = [
        (max(0, int(middle - half)), min(full, int(np.ceil(middle + half))))
        for middle, full in ((r.mean(), s) for r, s in zip(ranges, size, strict=True))
    ]
    return slice(*ends[0]), slice(*ends[1])


def on_canvas(
    outputs: Mapping[str, torch.Tensor], box: Box, size: tuple[int, int]
) -> dict[str, torch.Tensor]:
    """Return outputs (C, h, w) of the part `box` of a picture of `size` as outputs of it all.

    Around the box embeddings are 0, and the logits say background.
    """
    canvas: dict[str, Any] = {}
    for name, value in outputs.items():
        scales = [v / (s.stop - s.start) for v, s in zip(value.shape[1:], box, strict=True)]
        whole = [round(full * scale) for full, scale in zip(size, scales, strict=True)]
        start = [
            min(round(s.start * scale), full - v)
            for s, scale, full, v in zip(box, scales, whole, value.shape[1:], strict=True)
        ]
        filling = torch.zeros(len(value), 1, 1)
        if name in ("semantic", "seed"):
            filling = filling + NEVER
            if len(value) > 1:
                filling[0] = -NEVER  # the class background of a softmax
        canvas[name] = filling.to(value).repeat(1, *whole)
        canvas[name][:, start[0] :, start[1] :][:, : value.shape[1], : value.shape[2]] = value
    return canvas
