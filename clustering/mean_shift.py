"""Mean-shift (Comaniciu and Meer, PAMI 2002) over pixel embeddings, flat or Gaussian kernel.

A point x climbs the density by moving to the weighted mean of the points within the bandwidth b,

    x <- sum_i k(|x - x_i|) x_i / sum_i k(|x - x_i|)

with k = 1 (flat) or k = exp(-2 d^2 / b^2) (Gaussian of standard deviation b/2, cut at b), until it
stops. Where it stops is a mode; modes nearer than b to one of more points are dropped.
"""

from typing import Literal

import numpy as np

from clustering.assign import nearest_centre, squared_distances
from clustering.base import NOISE, Array, PixelClusterer

SEEDS = 512  # points that climb
SAMPLE = 4096  # points whose density they climb
ROUNDS = 100  # of climbing, at most
STILL = 1e-4  # a move below this fraction of the bandwidth ends the climb


class MeanShift(PixelClusterer):
    """Mean-shift clustering.

    bandwidth: radius b of the kernel, > 0. None estimates it from the data (mean distance to the
        neighbour at quantile 0.3, as scikit-learn does); with a trained network use its margins.
    kernel: "flat" or "gaussian" (standard deviation b/2, cut at b).
    min_points: a mode with fewer points within the bandwidth is no cluster.
    cluster_all: points farther than the bandwidth from every centre take the nearest centre's
        label; False makes them NOISE. Without any cluster all points are NOISE.
    n_threads: None takes all cores.
    """

    def __init__(
        self,
        bandwidth: float | None = None,
        *,
        kernel: Literal["flat", "gaussian"] = "flat",
        min_points: int = 10,
        cluster_all: bool = True,
        n_threads: int | None = None,
    ) -> None:
        self.bandwidth = bandwidth
        self.kernel = kernel
        self.min_points = min_points
        self.cluster_all = cluster_all
        self.n_threads = n_threads

    def _cluster(self, points: Array) -> None:
        self._check()
        self.bandwidth_ = self.bandwidth or estimate_bandwidth(points)
        centres = _modes(points, self.bandwidth_, self.kernel == "gaussian", self.min_points)
        self.cluster_centers_ = centres
        if len(centres) == 0:
            self.labels_ = np.full(len(points), NOISE, np.int32)
            return
        self.labels_, distances = nearest_centre(points, centres)
        if not self.cluster_all:
            self.labels_[distances > self.bandwidth_] = NOISE

    def _check(self) -> None:
        if self.bandwidth is not None and not self.bandwidth > 0:
            raise ValueError(
                f"bandwidth must be > 0, got {self.bandwidth}; "
                "for delta_v=0.5, delta_d=1.5 use about 1.5"
            )
        if self.kernel not in ("flat", "gaussian"):
            raise ValueError(f"kernel must be 'flat' or 'gaussian', got {self.kernel!r}")


def estimate_bandwidth(points: Array, quantile: float = 0.3, n_sample: int = 1024) -> float:
    """Return the mean distance to the neighbour at `quantile`, over at most n_sample points."""
    some = points[:: -(-len(points) // n_sample)]
    rank = max(int(len(some) * quantile), 1) - 1
    squared = np.partition(squared_distances(some, some), rank, axis=1)[:, rank]
    return float(np.sqrt(squared).mean()) or 1.0


def _modes(points: Array, bandwidth: float, gaussian: bool, min_points: int) -> Array:
    centres = np.empty((0, points.shape[1]), points.dtype)
    far = np.arange(len(points))
    sample = points[:: -(-len(points) // SAMPLE)]
    while len(far) >= min_points:
        seeds = points[far[:: -(-len(far) // SEEDS)]]
        climbed = _climb(seeds, sample, bandwidth, gaussian)
        found = _distinct(climbed, points, centres, bandwidth, min_points)
        if len(found) == 0 and sample is points:
            break
        if len(found) == 0:
            sample = points
            continue
        centres = np.concatenate([centres, found])
        far = far[nearest_centre(points[far], found)[1] > bandwidth]
        sample = points
    return centres


def _climb(seeds: Array, points: Array, bandwidth: float, gaussian: bool) -> Array:
    at = seeds.copy()
    for _ in range(ROUNDS):
        squared = squared_distances(at, points) / bandwidth**2
        weight = (squared <= 1).astype(points.dtype)
        if gaussian:
            weight *= np.exp(-2 * squared)
        total = weight.sum(axis=1, keepdims=True)
        moved = np.where(total > 0, weight @ points / np.maximum(total, 1e-30), at)
        still = np.abs(moved - at).max() <= STILL * bandwidth
        at = np.unique(moved, axis=0)
        if still or len(at) == 0:
            break
    return at


def _distinct(at: Array, points: Array, known: Array, bandwidth: float, min_points: int) -> Array:
    counts = np.zeros(len(at), np.int64)
    for start in range(0, len(points), 16384):
        part = points[start : start + 16384]
        counts += (squared_distances(part, at) <= bandwidth**2).sum(axis=0)
    kept: list[Array] = list(known)
    for index in np.argsort(-counts, kind="stable"):
        if counts[index] < min_points:
            break
        gaps = squared_distances(at[index, None], np.array(kept)) if kept else np.array([np.inf])
        if gaps.min() > bandwidth**2:
            kept.append(at[index])
    return np.array(kept[len(known) :], points.dtype).reshape(-1, points.shape[1])
