"""The contract of all clusterers: NOISE, input checks, numpy and torch at the edge.

A clusterer is a scikit-learn estimator. `fit(X)` takes points (N, E); `fit_image(embedding, mask)`
takes the network's own output (E, *S) with a boolean mask (*S) and clusters its True pixels, in C
order, where they lie. Both leave `labels_` (one int32 per point; NOISE = -1, clusters 0..C-1) and
`cluster_centers_` (C, E). Arrays in, arrays out; torch tensors in, torch tensors on the same device
out. float32 is read in place, memory-mapped or not; other types are converted first, those
of points (N, E) to float64 and, from the middle of the points, to float32.
"""

from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClusterMixin, clone
from sklearn.utils.validation import validate_data

from clustering.assign import NOISE, Array
from clustering.nearest import FARTHEST, too_far
from clustering.pixels import Pixels, of_image, rows, spread
from clustering.tensors import TensorPixels, device_pixels

__all__ = ["NOISE", "PixelClusterer"]

MIDDLE = 1024  # points that tell where the middle of all is


class PixelClusterer(ClusterMixin, BaseEstimator):
    """What all clusterers share; a subclass writes `_cluster`.

    Attributes after a fit: `labels_` (N,), `cluster_centers_` (C, E), `n_features_in_`.
    """

    labels_: Any
    cluster_centers_: Any
    reads_maps: tuple[str, ...] = ()  # names of the maps that `fit_image` takes beside vectors

    def fit(self, X: Any, y: None = None) -> Self:  # noqa: ARG002  (scikit-learn's signature)
        """Cluster the points X (N, E), N >= 1.

        Raises ValueError for anything but a finite two-dimensional array of numbers.
        """
        if on_device(X):
            if X.ndim != 2 or len(X) == 0:
                raise ValueError(f"X must be (N, E) with N >= 1, got {tuple(X.shape)}")
            self.n_features_in_ = X.shape[1]
            self._fit_pixels(device_pixels(X.T, None))
            return self._like(X)
        given = tensor_to_numpy(X) if isinstance(X, torch.Tensor) else X
        kept = [np.float64, np.float32]  # the first for all others: float32 has not their digits
        points: Array = validate_data(self, given, dtype=kept)
        self._fit_points(points)
        return self._like(X)

    def fit_predict(self, X: Any, y: None = None) -> Any:
        """Cluster X (N, E) and return `labels_`."""
        return self.fit(X, y).labels_

    def fit_image(self, embedding: Any, mask: Any) -> Self:
        """Cluster the True pixels of `mask` (*S) by their vectors in `embedding` (E, *S).

        No True pixel is no error: `labels_` is then empty and there is no cluster.
        """
        embedding, mask = checked_image(embedding, mask)
        self.n_features_in_ = embedding.shape[0]
        if on_device(embedding):
            self._fit_pixels(device_pixels(embedding, torch.as_tensor(mask)))
        else:
            single = in_single(tensor_to_numpy(embedding))
            self._fit_pixels(of_image(single, np.ascontiguousarray(tensor_to_numpy(mask))))
        return self._like(embedding)

    def fit_images(self, embeddings: Any, masks: Any) -> Self:
        """Cluster each image of embeddings (B, E, *S) within its mask (B, *S), B >= 1, in one call.

        `labels_` has one int per True pixel of masks in C order; clusters are numbered on through
        the batch, so none spans two images; `cluster_images_` (C,) is the image of each.
        """
        embeddings, masks = list(embeddings), list(masks)
        if not embeddings or len(embeddings) != len(masks):
            raise ValueError(
                f"got {len(embeddings)} embeddings and {len(masks)} masks; "
                "give at least one image, and a mask for each"
            )
        fits = [
            clone(self).fit_image(embedding, mask)
            for embedding, mask in zip(embeddings, masks, strict=True)
        ]
        sizes = [len(fitted.cluster_centers_) for fitted in fits]
        first = np.cumsum([0, *sizes]).tolist()
        labels = [
            fit.labels_ + shift * (fit.labels_ != NOISE)
            for fit, shift in zip(fits, first, strict=False)
        ]
        tensors = all(isinstance(fitted.labels_, torch.Tensor) for fitted in fits)
        join: Any = torch.cat if tensors else np.concatenate
        self.labels_ = join(labels).to(torch.int32) if tensors else join(labels).astype(np.int32)
        self.cluster_centers_ = join([fitted.cluster_centers_ for fitted in fits])
        self.cluster_images_ = np.repeat(np.arange(len(fits)), sizes)
        self.n_features_in_ = fits[0].n_features_in_
        return self

    def _fit_points(self, points: Array) -> None:
        if points.dtype == np.float32:
            self._fit_pixels(rows(points))
            return
        origin = middle(points)  # small differences of large numbers would not fit float32
        with np.errstate(over="ignore"):
            single = in_single(points - origin)
        if max(single.max(), -single.min()) > FARTHEST:
            raise ValueError(too_far(float(np.abs(points).max())))
        self._fit_pixels(rows(single))
        self.cluster_centers_ = self.cluster_centers_ + origin

    def _fit_pixels(self, pixels: Pixels | TensorPixels) -> None:
        self._check()
        if len(pixels):
            self._cluster(pixels)
        else:
            self.labels_ = np.empty(0, np.int32)
            self.cluster_centers_ = np.empty((0, pixels.dims), np.float32)

    def _check(self) -> None:
        """Raise ValueError for a parameter that makes no sense, whatever the points."""
        raise NotImplementedError

    def _cluster(self, pixels: Pixels | TensorPixels) -> None:
        """Set `labels_` (N,) int32 and `cluster_centers_` (C, E) for N >= 1 pixels."""
        raise NotImplementedError

    def _like(self, given: Any) -> Self:
        """Turn the results into tensors on the device of `given` if that is a tensor."""
        if isinstance(given, torch.Tensor):
            for name in ("labels_", "cluster_centers_"):
                setattr(self, name, torch.as_tensor(getattr(self, name), device=given.device))
        return self


def middle(points: Array) -> Array:
    """Return the middle one of the coordinates along each axis (E,), of a sample of points (N, E).

    A few points that lie elsewhere, the first or last among them, do not move it.
    """
    some = points[spread(len(points), MIDDLE)]
    coordinates: Array = np.sort(some, axis=0)[len(some) // 2]
    return coordinates


def in_single(values: Array) -> Array:
    """Return the values as float32, infinite where they are too large for it."""
    if values.dtype == np.float32:
        return values
    with np.errstate(over="ignore"):
        return values.astype(np.float32)


def checked_image(embedding: Any, mask: Any) -> tuple[Any, Any]:
    """Return embedding and mask, lists as arrays.

    Raises ValueError unless embedding is (E, *S) and mask a boolean (*S).
    """
    embedding, mask = (v if hasattr(v, "shape") else np.asarray(v) for v in (embedding, mask))
    shape, inside = tuple(embedding.shape), tuple(mask.shape)
    if len(shape) < 2 or shape[1:] != inside:
        raise ValueError(f"embedding {shape} and mask {inside} do not fit; give (E, *S) and (*S)")
    if mask.dtype not in (np.bool_, torch.bool):
        raise ValueError(f"mask must be boolean, got {mask.dtype}; pass mask > 0")
    return embedding, mask


def on_device(values: Any) -> bool:
    """Tell whether these are a tensor that is not in the memory of the host."""
    return isinstance(values, torch.Tensor) and values.device.type != "cpu"


def tensor_to_numpy(values: Any) -> Array:
    """Return a tensor or array-like as a numpy array, sharing memory where it can."""
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu()
        if values.dtype in (torch.bfloat16, torch.float16):
            values = values.float()
        values = values.numpy()
    array: Array = np.asarray(values)
    return array


def plain_floats(values: Any) -> NDArray[np.float32]:
    """Return a tensor or array-like as a contiguous numpy array of float32."""
    return np.ascontiguousarray(tensor_to_numpy(values), np.float32)
