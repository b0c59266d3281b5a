"""Labels of a coarse grid brought to the image's own size, without averaging an embedding.

Each fine pixel of the foreground takes the instance that has most weight among its four coarse
neighbours, with bilinear weights: the argmax over instances of the interpolated memberships, in one
pass whatever the number of instances. Where none of the four belongs to an instance, the pixel
takes the nearest instance pixel of the fine grid.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from clustering.jit import helper, kernel
from embedseg.inference.grids import Grid


def upsample_labels(
    labels: NDArray[np.int32], foreground: NDArray[np.bool_], grid: Grid | None = None
) -> NDArray[np.int32]:
    """Return labels (H, W) for coarse `labels` (h, w) on `grid` and a fine `foreground` (H, W).

    0 is background; every foreground pixel gets an instance if there is one at all. Without a grid
    the labels' pixels are whole cells of the picture.
    """
    grid = Grid((float(labels.shape[0]), float(labels.shape[1]))) if grid is None else grid
    if labels.shape == foreground.shape and grid.is_plain(labels.shape):
        fine = np.where(foreground, labels, 0).astype(np.int32)
    else:
        fine = _vote(labels, foreground, grid)
    missing = foreground & (fine == 0)
    if missing.any() and fine.any():
        rows, columns = np.nonzero(missing)
        nearest = ndimage.distance_transform_edt(
            fine == 0, return_distances=False, return_indices=True
        )
        fine[rows, columns] = fine[nearest[0][rows, columns], nearest[1][rows, columns]]
    return fine


def _vote(
    labels: NDArray[np.int32], foreground: NDArray[np.bool_], grid: Grid
) -> NDArray[np.int32]:
    fine = np.zeros(foreground.shape, np.int32)
    down = _neighbours(grid.places(foreground.shape[0], 0), labels.shape[0])
    across = _neighbours(grid.places(foreground.shape[1], 1), labels.shape[1])
    vote(np.ascontiguousarray(labels, np.int32), foreground, down, across, fine)
    return fine


@kernel
def vote(labels: Any, foreground: Any, down: Any, across: Any, fine: Any) -> None:
    """Write into fine (H, W) the instance of most weight around each True foreground pixel."""
    top, bottom, low = down
    left, right, far = across
    around = np.zeros(4, np.int32)
    weight = np.zeros(4, np.float32)
    one = np.float32(1)
    for row in range(fine.shape[0]):
        above, below, v = labels[top[row]], labels[bottom[row]], low[row]
        for column in range(fine.shape[1]):
            if foreground[row, column]:
                a, b, u = left[column], right[column], far[column]
                around[0], around[1], around[2], around[3] = above[a], above[b], below[a], below[b]
                weight[0], weight[1] = (one - v) * (one - u), (one - v) * u
                weight[2], weight[3] = v * (one - u), v * u
                alike = around[0] == around[1] == around[2] == around[3]
                fine[row, column] = around[0] if alike else heaviest(around, weight)


@helper
def heaviest(around: Any, weight: Any) -> Any:
    """Return the instance of most weight, the first of equals; 0 if there is none."""
    best = np.float32(0)
    chosen = np.int32(0)
    for candidate in around:
        votes = np.float32(0)
        for k in range(4):
            if around[k] == candidate:
                votes += weight[k]
        if candidate > 0 and votes > best:
            best, chosen = votes, candidate
    return chosen


def _neighbours(
    places: NDArray[np.float64], coarse: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """Return both coarse neighbours of each of the `places` and the weight of the second."""
    place = np.clip(places, 0, coarse - 1)
    low = place.astype(np.intp)
    return low, np.minimum(low + 1, coarse - 1), (place - low).astype(np.float32)
