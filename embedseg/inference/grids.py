"""Where the pixels of a network's outputs lie in a picture, and maps brought from one to the other.

A network of output stride s learned in pixel i what is in the working picture's pixel s * i, the
first of its cell, not in the cell's middle.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from embedseg._cv2 import cv2
from embedseg.resizing import resize_image


class Grid(NamedTuple):
    """A coarse grid over a picture: `extent` pixels of it (rows, columns) cover the picture.

    Pixel i lies at i + `middle` of them: 0.5 where it stands for its whole cell, less where for the
    first part of it.
    """

    extent: tuple[float, float]
    middle: float = 0.5

    def places(self, fine: int, axis: int) -> NDArray[np.float64]:
        """Return where, in coarse pixels, the middles of `fine` pixels along an axis lie."""
        return np.asarray((np.arange(fine) + 0.5) * self.extent[axis] / fine - self.middle)

    def is_plain(self, shape: Sequence[int]) -> bool:
        """Tell whether pixels stand for whole cells, and those of a map (h, w) for all of it."""
        return self.middle == 0.5 and self.extent == tuple(shape)


def grid_of(shape: Sequence[int], stride: int, working: Sequence[int]) -> Grid:
    """Return the grid of outputs (h, w) of a network of this stride on a `working` picture (H, W).

    Of a picture of another shape (a canvas of two looks) the outputs are taken to cover it.
    """
    extent = tuple(
        side / stride if math.ceil(side / stride) == count else float(count)
        for count, side in zip(shape, working, strict=True)
    )
    return Grid((extent[0], extent[1]), 0.5 / stride)


def resize_map(
    values: NDArray[np.float32], size: tuple[int, ...], grid: Grid | None = None
) -> NDArray[np.float32]:
    """Return a map (h, w), on a grid, at `size`; `resize_image` of one whose pixels are cells."""
    if grid is not None and not grid.is_plain(values.shape):
        rows, columns = (grid.places(side, axis) for axis, side in enumerate(size))
        across, down = np.meshgrid(columns.astype(np.float32), rows.astype(np.float32))
        found = cv2.remap(values, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(found)
    return resize_image(values, size)


def sample_map(values: NDArray[np.float32], shape: tuple[int, ...], grid: Grid) -> NDArray[Any]:
    """Return a picture's map (H, W) on a coarse `grid` of this shape (h, w)."""
    if grid.is_plain(shape):
        return resize_map(values, shape)
    rows, columns = (
        np.clip(
            ((np.arange(count) + grid.middle) * side / grid.extent[axis]).astype(int), 0, side - 1
        )
        for axis, (count, side) in enumerate(zip(shape, values.shape, strict=True))
    )
    return np.asarray(values[np.ix_(rows, columns)])
