"""Where objects have their centres: the map that a centre head learns.

The centre of an object is its innermost pixel, the one farthest from all that is not the object.
The map is 1 there and falls off around it,

    t_p = exp(-|p - c|^2 / (2 s^2)),      s = max(1.5, 0.4 r) pixels,

r the distance of c from the border: CenterNet's target (arXiv:1904.07850), with the innermost pixel
for the middle of the box, which may lie outside a bent object, and with its width for the box's.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from embedseg._cv2 import cv2
from embedseg.labels import IGNORE

WIDTH = 0.4  # of the map's hill, as a part of the distance to the border
NARROWEST = 1.5  # pixels
REACH = 3  # widths after which the hill ends


def centre_map(labels: NDArray[np.int32]) -> NDArray[np.float32]:
    """Return the map (H, W) of `labels` (H, W): 1 at each centre, 0 far from all, IGNORE kept.

    Where hills meet the higher one counts. An object in several pieces has one centre.
    """
    found = np.zeros(labels.shape, np.float32)
    for number, box in enumerate(ndimage.find_objects(np.maximum(labels, 0)), 1):
        if box is not None:
            rows, columns = box
            row, column, radius = innermost(labels[box] == number)
            add_hill(found, row + rows.start, column + columns.start, radius)
    found[labels == IGNORE] = IGNORE
    return found


def innermost(mask: NDArray[np.bool_]) -> tuple[int, int, float]:
    """Return row, column and distance to the border of the innermost pixel of `mask` (h, w)."""
    padded = np.pad(mask, 1).astype(np.uint8)
    inside = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_5)[1:-1, 1:-1]
    row, column = np.unravel_index(int(np.argmax(inside)), mask.shape)
    return int(row), int(column), float(inside[row, column])


def add_hill(found: NDArray[np.float32], row: int, column: int, radius: float) -> None:
    """Raise `found` (H, W) to the hill of one centre; writes into it."""
    width = max(NARROWEST, WIDTH * radius)
    reach = int(np.ceil(REACH * width))
    rows = np.arange(max(0, row - reach), min(found.shape[0], row + reach + 1))
    columns = np.arange(max(0, column - reach), min(found.shape[1], column + reach + 1))
    squared = (rows[:, None] - row) ** 2 + (columns - column) ** 2
    part = found[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    np.maximum(part, np.exp(squared / (-2 * width**2)).astype(np.float32), out=part)
