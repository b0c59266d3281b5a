"""The contract of all clusterers: NOISE, input checks, numpy and torch at the edge.

A clusterer is a scikit-learn estimator. `fit(X)` takes points (N, E); `fit_image(embedding, mask)`
takes the network's own output (E, *S) with a boolean mask (*S) and clusters its True pixels, in C
order, where they lie. Both leave `labels_` (one int32 per point; NOISE = -1, clusters 0..C-1) and
`cluster_centers_` (C, E). Arrays in, arrays out; torch tensors in, torch tensors on the same device
out. float32 is read in place, memory-mapped or not; other types are converted first.
"""

from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.utils.validation import validate_data

from clustering.pixels import Pixels, image, rows

NOISE = -1

Array = NDArray[Any]


class PixelClusterer(ClusterMixin, BaseEstimator):
    """What all clusterers share; a subclass writes `_cluster`.

    Attributes after a fit: `labels_` (N,), `cluster_centers_` (C, E), `n_features_in_`.
    """

    labels_: Any
    cluster_centers_: Any

    def fit(self, X: Any, y: None = None) -> Self:  # noqa: ARG002  (scikit-learn's signature)
        """Cluster the points X (N, E), N >= 1.

        Raises ValueError for anything but a finite two-dimensional array of numbers.
        """
        given = tensor_to_numpy(X) if isinstance(X, torch.Tensor) else X
        points: Array = validate_data(self, given, dtype=[np.float32, np.float64])
        self._fit_points(points)
        return self._like(X)

    def fit_predict(self, X: Any, y: None = None) -> Any:
        """Cluster X (N, E) and return `labels_`."""
        return self.fit(X, y).labels_

    def fit_image(self, embedding: Any, mask: Any) -> Self:
        """Cluster the True pixels of `mask` (*S) by their vectors in `embedding` (E, *S).

        No True pixel is no error: `labels_` is then empty and there is no cluster.
        """
        values, inside = tensor_to_numpy(embedding), tensor_to_numpy(mask)
        if values.ndim < 2 or values.shape[1:] != inside.shape:
            raise ValueError(
                f"embedding {values.shape} and mask {inside.shape} do not fit; "
                "give (E, *S) and (*S)"
            )
        if inside.dtype != np.bool_:
            raise ValueError(f"mask must be boolean, got {inside.dtype}; pass mask > 0")
        self.n_features_in_ = values.shape[0]
        single = np.ascontiguousarray(values, np.float32)
        self._fit_pixels(image(single, np.ascontiguousarray(inside)))
        return self._like(embedding)

    def _fit_points(self, points: Array) -> None:
        if points.dtype == np.float32:
            self._fit_pixels(rows(points))
            return
        origin = points[0].copy()  # small differences of large numbers would not fit float32
        self._fit_pixels(rows((points - origin).astype(np.float32)))
        self.cluster_centers_ = self.cluster_centers_ + origin

    def _fit_pixels(self, pixels: Pixels) -> None:
        if len(pixels):
            self._cluster(pixels)
        else:
            self.labels_ = np.empty(0, np.int32)
            self.cluster_centers_ = np.empty((0, pixels.dims), np.float32)

    def _cluster(self, pixels: Pixels) -> None:
        """Set `labels_` (N,) int32 and `cluster_centers_` (C, E) for N >= 1 pixels."""
        raise NotImplementedError

    def _like(self, given: Any) -> Self:
        """Turn the results into tensors on the device of `given` if that is a tensor."""
        if isinstance(given, torch.Tensor):
            for name in ("labels_", "cluster_centers_"):
                setattr(self, name, torch.as_tensor(getattr(self, name), device=given.device))
        return self


def tensor_to_numpy(values: Any) -> Array:
    """Return a tensor or array-like as a numpy array, sharing memory where it can."""
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu()
        if values.dtype == torch.bfloat16:
            values = values.float()
        values = values.numpy()
    array: Array = np.asarray(values)
    return array
