"""Sequential clustering with learned bandwidths (arXiv:1906.11109, section 3.3).

Every point i has a vector e_i, a seed score s_i (how near it believes to be to its centre) and a
bandwidth sigma_i. Take the unclustered point c with the highest seed; all points with

    phi_i = exp(-|e_i - e_c|^2 / (2 sigma_c^2)) > 1/2

are its cluster; mask them out; repeat until no seed is above the threshold. As in the authors'
code a cluster is dropped if it has too few points or most of them are taken already.
"""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from clustering.base import NOISE, PixelClusterer, checked_image, plain_floats, tensor_to_numpy
from clustering.nearest import require_finite
from clustering.parameters import at_least, positive, whole
from clustering.pixels import Pixels
from clustering.tensors import TensorPixels

Array = NDArray[np.float32]
Flags = NDArray[np.bool_]

NEARLY = 0.9
MANY = 2000  # seeds in vain, at most; ends a run in which every point is its own
CHUNK = 16384  # points at a time while points left over look for their cluster
TINY = 1e-60  # a precision of 0 reaches everywhere


class SpatialClustering(PixelClusterer):
    """Clusters around the points of the highest seed, each with its own bandwidth.

    bandwidth: sigma of every point, > 0, where the fit is given no precision.
    seed_threshold: points of a lower seed found no cluster. Where no seed is higher, as after a
        short training, those do that are nearly (NEARLY) as high as the highest.
    membership: phi above which a point belongs to a cluster; the paper's 1/2.
    min_points: a cluster of fewer new points is dropped.
    max_overlap: a cluster is dropped if at least this fraction of its points is clustered already.
    cluster_all: points left over take the cluster of the largest phi; False makes them NOISE.

    The search ends after MANY seeds in vain: with too few new points, or with one.

    `fit` and `fit_image` take, beside the points, `seed` (N,) or (*S), all equal if absent, and
    `log_precision` (N, E) or (E, *S): ln(1 / (2 sigma^2)) along each axis. After a fit
    `cluster_centers_` (C, E) are the vectors of the seeds.
    """

    reads_maps = ("seed", "log_precision")

    def __init__(
        self,
        bandwidth: float = 0.5,
        *,
        seed_threshold: float = 0.5,
        membership: float = 0.5,
        min_points: int = 1,
        max_overlap: float = 0.5,
        cluster_all: bool = True,
    ) -> None:
        self.bandwidth = bandwidth
        self.seed_threshold = seed_threshold
        self.membership = membership
        self.min_points = min_points
        self.max_overlap = max_overlap
        self.cluster_all = cluster_all

    def fit(self, X: Any, y: None = None, *, seed: Any = None, log_precision: Any = None) -> Self:
        """Cluster the points X (N, E); see the class."""
        precision = None if log_precision is None else plain_floats(log_precision).T
        self._maps = (None if seed is None else plain_floats(seed), precision)
        try:
            return super().fit(X, y)
        finally:
            del self._maps

    def fit_image(
        self, embedding: Any, mask: Any, *, seed: Any = None, log_precision: Any = None
    ) -> Self:
        """Cluster the True pixels of `mask` (*S) in `embedding` (E, *S); see the class."""
        embedding, mask = checked_image(embedding, mask)
        inside = tensor_to_numpy(mask)
        self._maps = (
            None if seed is None else _inside("seed", seed, mask.shape, inside),
            None
            if log_precision is None
            else _inside("log_precision", log_precision, embedding.shape, inside),
        )
        try:
            return super().fit_image(embedding, mask)
        finally:
            del self._maps

    def _cluster(self, pixels: Pixels | TensorPixels) -> None:
        require_finite(pixels)
        points = pixels.take(np.arange(len(pixels)))
        seed, log_precision = self._maps
        scores = np.ones(len(pixels), np.float32) if seed is None else seed
        if log_precision is None:
            log_precision = np.full(points.shape, -np.log(2 * self.bandwidth**2), np.float32)
        if scores.shape != points.shape[1:] or log_precision.shape != points.shape:
            raise ValueError(
                f"seed {scores.shape} and log_precision {log_precision.shape[::-1]} do not fit "
                f"{points.shape[1]} points of {points.shape[0]} dimensions"
            )
        for name, values in (("seed", scores), ("log_precision", log_precision)):
            if not np.isfinite(values).all():
                raise ValueError(f"{name} has NaN or infinity; look for a diverged network")
        labels, seeds = self._sequence(points, scores, np.exp(log_precision))
        centres, scales = points[:, seeds], np.exp(log_precision[:, seeds])
        if self.cluster_all and len(seeds):
            left = np.flatnonzero(labels == NOISE)
            labels[left] = nearest_of(points[:, left], centres, scales)
        self.labels_ = labels
        self.cluster_centers_ = np.ascontiguousarray(centres.T)

    def _check(self) -> None:
        positive(self, "bandwidth")
        at_least(self, "seed_threshold", -np.inf)
        positive(self, "membership")
        whole(self, "min_points", 0)
        positive(self, "max_overlap")
        if not self.membership < 1:
            raise ValueError(f"membership must be in (0, 1), got {self.membership}")

    def _sequence(
        self, points: Array, seed: Array, precision: Array
    ) -> tuple[NDArray[np.int32], list[int]]:
        """Return labels (N,) and the ranks of the seeds, by the loop above."""
        line = Line(points)
        labels = np.full(len(seed), NOISE, np.int32)  # in the order of the line, as all below
        free = np.ones(len(seed), np.bool_)  # not yet claimed by a cluster, kept or dropped
        reach = -np.log(self.membership)
        seeds: list[int] = []
        order = np.argsort(-seed, kind="stable")
        best = seed.max()
        least = self.seed_threshold if best > self.seed_threshold else NEARLY * best
        order = order[seed[order] > least]
        vain = 0
        for at in order:
            if not free[line.rank[at]]:
                continue
            if vain >= MANY:
                break
            near = line.near(points[:, at], precision[:, at], reach)
            away = scaled_distances(line.points[:, near], points[:, at], precision[:, at])
            inside = away < reach
            new = inside & (labels[near] == NOISE)
            free[near] &= ~inside
            free[line.rank[at]] = False
            total, added = np.count_nonzero(inside), np.count_nonzero(new)
            vain += int(added < max(self.min_points, 2))
            if added < self.min_points or total - added >= self.max_overlap * total:
                continue
            labels[near][new] = len(seeds)
            seeds.append(int(at))
        return labels[line.rank], seeds


class Line:
    """Points (E, N) sorted along the axis of their widest range; `rank` (N,): where each one is."""

    def __init__(self, points: Array) -> None:
        self.axis = int(np.ptp(points, axis=1).argmax())
        order = np.argsort(points[self.axis], kind="stable")
        self.rank = np.empty_like(order)
        self.rank[order] = np.arange(len(order))
        self.points = points[:, order]

    def near(self, centre: Array, precision: Array, reach: float) -> slice:
        """Return where all points lie that are within `reach`, a scaled distance, of the centre."""
        scale = max(float(precision[self.axis]), TINY)
        half = 1.001 * np.sqrt(reach / scale)  # more than rounding takes
        row, at = self.points[self.axis], float(centre[self.axis])
        low, high = np.float32(at - half), np.float32(at + half)  # in float64 all are converted
        return slice(int(row.searchsorted(low)), int(row.searchsorted(high, "right")))


def scaled_distances(points: Array, centre: Array, precision: Array) -> Array:
    """Return sum_e precision_e (x_e - centre_e)^2 (N,) for points (E, N): -ln phi."""
    away = np.zeros(points.shape[1], np.float32)
    for axis, at, scale in zip(points, centre, precision, strict=True):
        step = axis - at
        away += scale * step * step
    return away


def nearest_of(points: Array, centres: Array, scales: Array) -> NDArray[np.int32]:
    """Return for each of the points (E, N) the cluster of the largest phi."""
    labels = np.empty(points.shape[1], np.int32)
    for start in range(0, len(labels), CHUNK):
        part = slice(start, start + CHUNK)
        away = np.stack(
            [
                scaled_distances(points[:, part], centre, scale)
                for centre, scale in zip(centres.T, scales.T, strict=True)
            ]
        )
        labels[part] = away.argmin(0)
    return labels


def _inside(name: str, values: Any, shape: Any, mask: Flags) -> Array:
    """Return a map of this shape, (..., *S), at the True pixels of mask (*S): (..., N)."""
    array = plain_floats(values)
    if array.shape != tuple(shape):
        raise ValueError(f"{name} {array.shape} does not fit the image; give {tuple(shape)}")
    return array[..., mask]
