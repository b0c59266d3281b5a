"""The paper's own inference (arXiv:1708.02551, section 3.2): pick a point, shift, take the margin.

Pick a random unlabelled point; take all unlabelled points within the bandwidth of it; move to their
mean; repeat until the mean stops. All points nearer than the bandwidth to the mean are a cluster.
Repeat with the points that are left.
"""

from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from clustering.assign import absorb_noise
from clustering.base import NOISE, Array, PixelClusterer
from clustering.nearest import require_finite
from clustering.pixels import Pixels


class ThresholdClustering(PixelClusterer):
    """Clustering by thresholding around a shifted random point.

    bandwidth: radius, > 0; the authors' code uses delta_d = 1.5.
    tol, max_iter: the mean has stopped when it moves by at most `tol`, or after `max_iter` rounds.
    max_overlap: the points within the bandwidth of the mean are dropped as a cluster if at least
        this fraction of them is labelled already.
    min_points: a cluster of fewer new points is dropped; its points may join a later one.
    stop_below: end when at most this many points are unlabelled.
    max_failures: end after this many dropped clusters.
    cluster_all: points left over take the nearest centre's label; False makes them NOISE.
    random_state: seed or RandomState that picks the points.
    The authors' released code is max_overlap=0.5, min_points=11, stop_below=100, max_failures=20,
    cluster_all=False.
    """

    def __init__(  # noqa: PLR0913  (the authors' options, flat as scikit-learn wants them)
        self,
        bandwidth: float = 1.5,
        *,
        tol: float = 1e-4,
        max_iter: int = 100,
        max_overlap: float = 0.5,
        min_points: int = 1,
        stop_below: int = 0,
        max_failures: int = 20,
        cluster_all: bool = True,
        random_state: Any = 0,
    ) -> None:
        self.bandwidth = bandwidth
        self.tol = tol
        self.max_iter = max_iter
        self.max_overlap = max_overlap
        self.min_points = min_points
        self.stop_below = stop_below
        self.max_failures = max_failures
        self.cluster_all = cluster_all
        self.random_state = random_state

    def _cluster(self, pixels: Pixels) -> None:
        require_finite(pixels)
        points = np.ascontiguousarray(pixels.take(np.arange(len(pixels))).T)
        if not self.bandwidth > 0:
            raise ValueError(f"bandwidth must be > 0, got {self.bandwidth}; use delta_d = 1.5")
        random = check_random_state(self.random_state)
        labels = np.full(len(points), NOISE, np.int32)
        centres: list[Array] = []
        failures = 0
        self.n_iter_ = 1
        while failures < self.max_failures:
            free = np.flatnonzero(labels == NOISE)
            if len(free) <= self.stop_below:
                break
            centre = self._shift(points[free], points[free[random.randint(len(free))]])
            inside = ((points - centre) ** 2).sum(axis=1) < self.bandwidth**2
            new = inside & (labels == NOISE)
            taken = inside.sum() - new.sum()
            if new.sum() < self.min_points or taken >= self.max_overlap * inside.sum():
                failures += 1
                continue
            labels[new] = len(centres)
            centres.append(centre)
        self.cluster_centers_ = np.array(centres, points.dtype).reshape(-1, points.shape[1])
        self.labels_ = labels
        if self.cluster_all:
            self.labels_ = absorb_noise(points, labels, self.cluster_centers_)

    def _shift(self, points: Array, centre: Array) -> Array:
        for rounds in range(1, self.max_iter + 1):
            near = ((points - centre) ** 2).sum(axis=1) <= self.bandwidth**2
            moved: Array = points[near].mean(axis=0) if near.any() else centre
            step = float(np.linalg.norm(moved - centre))
            centre = moved
            if step <= self.tol:
                break
        self.n_iter_ = max(self.n_iter_, rounds)
        return centre
