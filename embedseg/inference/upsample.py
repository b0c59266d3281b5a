"""Labels of a coarse grid brought to the image's own size, without averaging an embedding.

Each fine pixel of the foreground takes the instance that has most weight among its four coarse
neighbours, with bilinear weights: the argmax over instances of the interpolated memberships, in one
pass whatever the number of instances. Where none of the four belongs to an instance, the pixel
takes the nearest instance pixel of the fine grid.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage


def upsample_labels(labels: NDArray[np.int32], foreground: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Return labels (H, W) for coarse `labels` (h, w) and a fine `foreground` mask (H, W).

    0 is background; every foreground pixel gets an instance if there is one at all.
    """
    if labels.shape == foreground.shape:
        fine = np.where(foreground, labels, 0).astype(np.int32)
    else:
        fine = _vote(labels, foreground)
    missing = foreground & (fine == 0)
    if missing.any() and fine.any():
        rows, columns = np.nonzero(missing)
        nearest = ndimage.distance_transform_edt(
            fine == 0, return_distances=False, return_indices=True
        )
        fine[rows, columns] = fine[nearest[0][rows, columns], nearest[1][rows, columns]]
    return fine


def _vote(labels: NDArray[np.int32], foreground: NDArray[np.bool_]) -> NDArray[np.int32]:
    rows, columns = np.nonzero(foreground)
    y0, y1, wy = _neighbours(foreground.shape[0], labels.shape[0])
    x0, x1, wx = _neighbours(foreground.shape[1], labels.shape[1])
    ya, yb, v = y0[rows], y1[rows], wy[rows]
    xa, xb, u = x0[columns], x1[columns], wx[columns]
    around = (labels[ya, xa], labels[ya, xb], labels[yb, xa], labels[yb, xb])
    weights = ((1 - v) * (1 - u), (1 - v) * u, v * (1 - u), v * u)
    best = np.zeros(len(rows), np.float32)
    chosen = np.zeros(len(rows), np.int32)
    for candidate in around:
        votes = sum(
            (weight * (label == candidate) for label, weight in zip(around, weights, strict=True))
        )
        wins = (candidate > 0) & (votes > best)
        best[wins], chosen[wins] = votes[wins], candidate[wins]
    fine = np.zeros(foreground.shape, np.int32)
    fine[rows, columns] = chosen
    return fine


def _neighbours(
    fine: int, coarse: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """Return both coarse neighbours of each fine pixel centre and the weight of the second."""
    place = np.clip((np.arange(fine) + 0.5) * coarse / fine - 0.5, 0, coarse - 1)
    low = place.astype(np.intp)
    return low, np.minimum(low + 1, coarse - 1), (place - low).astype(np.float32)
