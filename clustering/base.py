"""The contract of all clusterers: NOISE, input checks, numpy and torch at the edge.

A clusterer is a scikit-learn estimator. `fit(X)` takes points (N, E); `fit_image(embedding, mask)`
takes the network's own output (E, *S) with a boolean mask (*S) and clusters its True pixels, in C
order. Both leave `labels_` (one int32 per point; NOISE = -1, clusters 0..C-1) and, where a cluster
has a centre, `cluster_centers_` (C, E). Arrays in, arrays out; torch tensors in, torch tensors on
the same device out.
"""

from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.utils.validation import validate_data

NOISE = -1

Array = NDArray[Any]


class PixelClusterer(ClusterMixin, BaseEstimator):
    """What all clusterers share; a subclass writes `_cluster`.

    Attributes after a fit: `labels_`, `n_features_in_`, and `cluster_centers_` where they exist.
    """

    def fit(self, X: Any, y: None = None) -> Self:  # noqa: ARG002  (scikit-learn's signature)
        """Cluster the points X (N, E), N >= 1.

        Raises ValueError for anything but a finite two-dimensional array of numbers.
        """
        self._cluster(as_points(self, X))
        return self._like(X)

    def fit_predict(self, X: Any, y: None = None) -> Any:
        """Cluster X (N, E) and return `labels_`."""
        return self.fit(X, y).labels_

    def fit_image(self, embedding: Any, mask: Any) -> Self:
        """Cluster the True pixels of `mask` (*S) by their vectors in `embedding` (E, *S).

        No True pixel is no error: `labels_` is then empty and there is no cluster.
        """
        points = pixel_points(embedding, mask)
        self.n_features_in_ = points.shape[1]
        if len(points):
            self._cluster(points)
        else:
            self._nothing()
        return self._like(embedding)

    def _cluster(self, points: Array) -> None:
        """Set `labels_` and the other results for `points` (N, E), N >= 1, float32 or float64."""
        raise NotImplementedError

    def _nothing(self) -> None:
        """Set the results of a fit without a point."""
        self.labels_ = np.empty(0, np.int32)
        self.cluster_centers_ = np.empty((0, self.n_features_in_), np.float32)

    def _like(self, given: Any) -> Self:
        """Turn the results into tensors on the device of `given` if that is a tensor."""
        if isinstance(given, torch.Tensor):
            for name in ("labels_", "cluster_centers_"):
                if hasattr(self, name):
                    setattr(self, name, torch.as_tensor(getattr(self, name), device=given.device))
        return self


def as_points(estimator: BaseEstimator, X: Any) -> Array:
    """Return X as a finite (N, E) float32 or float64 array and note the number of features."""
    if isinstance(X, torch.Tensor):
        X = tensor_to_numpy(X)
    points: Array = validate_data(estimator, X, dtype=[np.float64, np.float32])
    return points


def pixel_points(embedding: Any, mask: Any) -> Array:
    """Return the vectors (N, E) of the True pixels of `mask` (*S) in `embedding` (E, *S)."""
    values = tensor_to_numpy(embedding)
    inside = tensor_to_numpy(mask)
    if values.ndim < 2 or values.shape[1:] != inside.shape:
        raise ValueError(
            f"embedding {values.shape} and mask {inside.shape} do not fit; give (E, *S) and (*S)"
        )
    if inside.dtype != np.bool_:
        raise ValueError(f"mask must be boolean, got {inside.dtype}; pass mask > 0")
    points = np.ascontiguousarray(values[:, inside].T)
    require_finite(points)
    return points


def require_finite(points: Array) -> None:
    """Raise ValueError if a coordinate is NaN or infinite."""
    bad = int(np.count_nonzero(~np.isfinite(points).all(axis=1)))
    if bad:
        raise ValueError(
            f"embedding has NaN or infinity in {bad} of {len(points)} points; "
            "look for a diverged network or a corrupt input image"
        )


def tensor_to_numpy(values: Any) -> Array:
    """Return a tensor or array-like as a numpy array; half precision becomes float32."""
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu()
        if values.dtype in (torch.float16, torch.bfloat16):
            values = values.float()
        values = values.numpy()
    array: Array = np.asarray(values)
    return array.astype(np.float32) if array.dtype == np.float16 else array
