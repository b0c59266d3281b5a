"""Clusters founded where a network sees the centres of objects: the peaks of a map.

A network that learned where objects have their centres (one peak for each, arXiv:1904.07850) knows
of small objects whose vectors lie beside those of a large neighbour, where density alone shows one
hill. Every peak founds a cluster at the mean vector of its surroundings, unless a higher peak has
founded one within the bandwidth; every point goes to the nearest.
"""

from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from clustering.base import checked_image, plain_floats
from clustering.mean_shift import MeanShift
from clustering.nearest import Assignment, assign, drop_small
from clustering.parameters import at_least
from clustering.pixels import Pixels
from clustering.tensors import TensorPixels

Array = NDArray[np.float32]

THRESHOLD = 0.15  # of a CenterNet-like map; such maps stay low where objects are hard to see
WINDOW = 5  # pixels along each axis within which a peak is the highest
AROUND = 1  # pixels to each side of a peak whose mean vector founds the cluster


class CentreClustering(MeanShift):
    """Clusters around the vectors at the peaks of a map of centres; without peaks, `MeanShift`.

    bandwidth: that of `MeanShift`, and the distance within which two peaks are of one object.
    threshold: height of the lowest peak that counts.
    min_points: a cluster with fewer points within the bandwidth of its mean is none. None takes 1,
        and without peaks what `MeanShift` takes.
    kernel, border_step: those of `MeanShift`, for its search where there is no peak. With peaks
        there is no search: points within the bandwidth count alike, also those on borders.
    cluster_all, n_threads: those of `MeanShift`.

    `fit_image` takes `centre` (*S), how likely a pixel is an object's centre, 0 where none can be
    (outside the foreground); its pixels need not be in the mask. `fit` knows no map.
    """

    reads_maps = ("centre",)

    def __init__(
        self,
        bandwidth: float | None = None,
        *,
        threshold: float = THRESHOLD,
        kernel: Literal["flat", "gaussian"] = "flat",
        min_points: int | None = None,
        border_step: float = 0.8,
        cluster_all: bool = True,
        n_threads: int | None = None,
    ) -> None:
        super().__init__(
            bandwidth,
            kernel=kernel,
            min_points=min_points,
            border_step=border_step,
            cluster_all=cluster_all,
            n_threads=n_threads,
        )
        self.threshold = threshold

    def fit_image(self, embedding: Any, mask: Any, *, centre: Any = None) -> Self:
        """Cluster the True pixels of `mask` (*S) in `embedding` (E, *S); see the class."""
        self._peaks = None
        if centre is not None:
            self._check()
            embedding, mask = checked_image(embedding, mask)
            self._peaks = vectors_at_peaks(embedding, plain_floats(centre), self.threshold)
        try:
            return super().fit_image(embedding, mask)
        finally:
            del self._peaks

    def _search(self, pixels: Pixels | TensorPixels) -> Assignment | None:
        peaks = getattr(self, "_peaks", None)
        if peaks is None or not len(peaks):
            return super()._search(pixels)
        founders = apart(peaks, self.bandwidth_)
        found = assign(pixels, founders, self.bandwidth_, n_threads=self.n_threads)
        found = assign(pixels, found.means, self.bandwidth_, n_threads=self.n_threads)
        self.min_points_ = 1 if self.min_points is None else self.min_points
        if found.counts.max() < self.min_points_ and self.min_points is not None:
            return None
        return drop_small(pixels, found, self.min_points_)

    def _check(self) -> None:
        super()._check()
        at_least(self, "threshold", 0)
        if not self.threshold < 1:
            raise ValueError(f"threshold must be in [0, 1), got {self.threshold}")


def vectors_at_peaks(embedding: Any, centre: Array, threshold: float) -> Array:
    """Return the vectors (P, E) at the peaks of `centre` (*S), the highest first.

    A peak is above `threshold` and nowhere lower than its WINDOW; its vector is the mean of
    `embedding` (E, *S) over the pixels up to AROUND away where `centre` is above 0, NaN and
    infinity taken as 0: in the mask they are refused later. Raises ValueError where the map has
    another shape.
    """
    if tuple(embedding.shape[1:]) != centre.shape:
        raise ValueError(
            f"centre {centre.shape} does not fit an embedding of {tuple(embedding.shape)}"
        )
    highest = ndimage.maximum_filter(centre, WINDOW, mode="constant")
    places = np.argwhere((centre == highest) & (centre > threshold))
    order = np.argsort(-centre[tuple(places.T)], kind="stable")
    return means_around(embedding, places[order], centre > 0)


def means_around(embedding: Any, places: NDArray[np.int64], counted: NDArray[np.bool_]) -> Array:
    """Return the mean vectors (P, E) of the counted pixels (*S) up to AROUND from each of `places`.

    All pixels are fetched at once: what lies on a device takes as long for one as for thousands.
    """
    side = np.arange(-AROUND, AROUND + 1)
    steps = np.stack(np.meshgrid(*[side] * counted.ndim, indexing="ij"), -1)
    near = places[:, None] + steps.reshape(-1, counted.ndim)
    last = np.array(counted.shape) - 1
    at = tuple(np.moveaxis(np.clip(near, 0, last), -1, 0))
    taken = counted[at] & ((near >= 0) & (near <= last)).all(axis=-1)
    vectors = plain_floats(embedding[(slice(None), *at)])
    vectors = np.where(np.isfinite(vectors) & taken, vectors, 0)
    means: Array = (vectors.sum(axis=-1) / taken.sum(axis=-1)).T
    return np.ascontiguousarray(means, np.float32)


def apart(vectors: Array, distance: float) -> Array:
    """Return those of the vectors (P, E) that lie farther than `distance` from all kept before."""
    kept = np.empty((0, vectors.shape[1]), np.float32)
    for vector in vectors:
        if not len(kept) or ((kept - vector) ** 2).sum(1).min() > distance**2:
            kept = np.concatenate([kept, vector[None]])
    return kept
