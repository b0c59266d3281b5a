"""Curves over a road picture: the same id has the same colour in every frame."""

from collections.abc import Sequence

import numpy as np

from embedseg._cv2 import cv2
from embedseg.viz.arrays import Array, Picture
from embedseg.viz.colors import instance_colors

_THICK = 0.004  # of the picture's width; a line's thickness
_SHIFT = 4  # binary digits of a pixel's fraction that the drawing routine takes
_FAR = 2.0**26  # pixels; what lies farther away is cut, as the routine's numbers have 32 bits


def lane_overlay(
    image: Picture, curves: Sequence[Array], ids: Sequence[int] | None = None
) -> Picture:
    """RGB uint8 copy of `image` (H, W, 3) with curves, each (n, 2) of x, y, in their ids' colours.

    `ids` default to 1, 2, ...; they are written at the lower ends, inside the picture. A curve of
    one point is a dot; parts outside the picture are not drawn, nor ids of curves wholly outside.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f"image must be (H, W, 3) uint8, got {image.shape} {image.dtype}")
    numbered = tuple(range(1, len(curves) + 1)) if ids is None else ids
    if len(numbered) != len(curves):
        raise ValueError(f"{len(numbered)} ids were given for {len(curves)} curves")
    picture = np.ascontiguousarray(image).copy()
    width = max(2, round(_THICK * image.shape[1]))
    for curve, number in zip(curves, numbered, strict=True):
        color = [int(c) for c in instance_colors(np.array([number]))[0]]
        placed = np.clip(np.asarray(curve, np.float64), -_FAR, _FAR)
        points = np.rint(placed * 2**_SHIFT).astype(np.int32).reshape(-1, 1, 2)
        cv2.polylines(picture, [points], False, (0, 0, 0), width + 2, cv2.LINE_AA, _SHIFT)
        cv2.polylines(picture, [points], False, color, width, cv2.LINE_AA, _SHIFT)
    for curve, number in zip(curves, numbered, strict=True):
        if _reaches(curve, picture):
            _number(picture, curve, number)
    return picture


def _reaches(curve: Array, picture: Picture) -> bool:
    """Tell whether the box around a curve and the picture share a point."""
    last = np.array(picture.shape[1::-1]) - 1
    return bool((curve.max(axis=0) >= 0).all() and (curve.min(axis=0) <= last).all())


def _number(picture: Picture, curve: Array, number: int) -> None:
    """Write the id near the lower end of a curve, inside the picture."""
    height, width = picture.shape[:2]
    scale = max(0.4, width / 1300)
    low = curve[int(np.argmax(curve[:, 1]))]
    reach = 26 * scale
    x = int(np.clip(low[0] + reach / 4, 2, max(width - reach * len(str(number)), 2)))
    y = int(np.clip(low[1] - reach / 2, reach, height - 4))
    color = [int(c) for c in instance_colors(np.array([number]))[0]]
    for ink, thick in (((0, 0, 0), 4), (color, 2)):
        cv2.putText(
            picture, str(number), (x, y), cv2.FONT_HERSHEY_SIMPLEX, scale, ink, thick, cv2.LINE_AA
        )
