"""The paper's own inference (arXiv:1708.02551, section 3.2): pick a point, shift, take the margin.

Pick a random unlabelled point; take all unlabelled points within the bandwidth of it; move to their
mean; repeat until the mean stops. All points nearer than the bandwidth to the mean are a cluster.
Repeat with the points that are left.

The centres are looked for on a spread sample of at most SAMPLE points, then on one of the points
that no centre has taken, and so on until none is found or there are MANY; after each a pass over
all points gives every one to the first centre within the bandwidth. With `exact`, or where there
are no more points than SAMPLE, this is the loop of the paper itself.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from clustering import climbing
from clustering.base import NOISE, PixelClusterer
from clustering.nearest import Assignment, assign, drop_small, require_finite
from clustering.parameters import at_least, positive, whole
from clustering.pixels import Array, Pixels, spread
from clustering.tensors import TensorPixels

SAMPLE = 4096  # points
MANY = SAMPLE  # clusters found on samples, at most; ends a run in which every point is its own


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
    exact: True shifts over all points instead of a sample.
    random_state: seed or RandomState that picks the points.
    n_threads: None takes all cores. The result does not depend on it.

    After a fit `n_iter_` is the number of rounds of the longest shift. The authors' released code
    is max_overlap=0.5, min_points=11, stop_below=100, max_failures=20, cluster_all=False.
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
        exact: bool = False,
        random_state: Any = 0,
        n_threads: int | None = None,
    ) -> None:
        self.bandwidth = bandwidth
        self.tol = tol
        self.max_iter = max_iter
        self.max_overlap = max_overlap
        self.min_points = min_points
        self.stop_below = stop_below
        self.max_failures = max_failures
        self.cluster_all = cluster_all
        self.exact = exact
        self.random_state = random_state
        self.n_threads = n_threads

    def _check(self) -> None:
        positive(self, "bandwidth", advice="the authors use delta_d = 1.5")
        at_least(self, "tol", 0)
        whole(self, "max_iter", 0)
        positive(self, "max_overlap", advice="the authors use 0.5")
        whole(self, "min_points", 0)
        at_least(self, "stop_below", 0)
        whole(self, "max_failures", 1)
        whole(self, "n_threads", 1, none=True)

    def _cluster(self, pixels: Pixels | TensorPixels) -> None:
        require_finite(pixels, self.n_threads)
        found = self._search(pixels)
        if found is None:
            self.labels_ = np.full(len(pixels), NOISE, np.int32)
            self.cluster_centers_ = np.empty((0, pixels.dims), np.float32)
            return
        self.cluster_centers_ = found.means
        self.labels_ = found.nearest() if self.cluster_all else np.maximum(found.labels, NOISE)

    def _search(self, pixels: Pixels | TensorPixels) -> Assignment | None:
        """Alternate a hunt among the unlabelled points and a pass over all until none is found."""
        random = check_random_state(self.random_state)
        size, most = (len(pixels), len(pixels)) if self.exact else (SAMPLE, MANY)
        centres = np.empty((0, pixels.dims), np.float32)
        labels = np.full(len(pixels), NOISE, np.int32)
        free = np.arange(len(pixels))
        found = None
        hunt = Hunt(self.bandwidth, self.tol, self.max_iter, self.max_overlap, self.min_points)
        while len(free) > self.stop_below and hunt.failures < self.max_failures:
            hunt.look_at(pixels, labels, free, size)
            new = hunt.run(random, self.stop_below, self.max_failures, most)
            if len(new):
                centres = np.concatenate([centres, new])
                found = assign(
                    pixels, centres, self.bandwidth, first_within=True, n_threads=self.n_threads
                )
                labels = found.labels
            if len(new) == 0 or len(free) <= size or len(centres) >= most:
                break
            free = np.flatnonzero(labels < 0)
        self.n_iter_ = hunt.rounds
        return drop_small(pixels, found, self.min_points) if found else None


@dataclass
class Hunt:
    """The loop of the paper over the unlabelled points of a sample."""

    bandwidth: float
    tol: float
    max_iter: int
    max_overlap: float
    min_points: int
    failures: int = 0
    rounds: int = 1

    def look_at(
        self,
        pixels: Pixels | TensorPixels,
        labels: NDArray[np.int32],
        free: NDArray[np.int64],
        size: int,
    ) -> None:
        """Take at most `size` of the unlabelled points `free` and of the labelled ones."""
        some = free[spread(len(free), size)]
        taken = np.flatnonzero(labels >= 0)
        rest = taken[spread(len(taken), size)]
        self.points = np.concatenate([pixels.take(some), pixels.take(rest)], axis=1)
        self.free = np.arange(self.points.shape[1]) < len(some)
        self.weights = np.full(len(self.free), len(free) / len(some), np.float32)
        self.weights[len(some) :] = len(taken) / max(len(rest), 1)

    def run(
        self, random: np.random.RandomState, stop_below: int, max_failures: int, most: int
    ) -> Array:
        """Return the centres (L, E) of the clusters found, in order; L <= most."""
        centres: list[Array] = []
        while len(centres) < most and self.failures < max_failures:
            left = np.flatnonzero(self.free)
            if self.weights[left].sum() <= stop_below:
                break
            at = self.points[:, left[random.randint(len(left))]].copy()
            if self._take(at):
                centres.append(at)
            else:
                self.failures += 1
        return np.array(centres, np.float32).reshape(-1, len(self.points))

    def _take(self, at: Array) -> bool:
        """Shift `at` to its mean and label the points around it, unless too few are new."""
        limit = np.float32(self.bandwidth**2)
        weights = self.weights * self.free
        rounds = climbing.settle(self.points, weights, at, limit, self.max_iter, self.tol**2)
        self.rounds = max(self.rounds, rounds)
        inside = np.zeros(len(weights), np.bool_)
        climbing.within(self.points, at[None], limit, inside)
        new = weights[inside].sum()
        total = self.weights[inside].sum()
        if new < max(self.min_points, 1) or total - new >= self.max_overlap * total:
            return False
        self.free &= ~inside
        return True
