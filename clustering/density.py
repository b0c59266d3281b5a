"""HDBSCAN and DBSCAN for pixels: density clustering with noise.

HDBSCAN (Campello, Moulavi, Sander, PAKDD 2013) comes from the `hdbscan` package, or from
scikit-learn where that package does not load; DBSCAN (Ester et al., KDD 1996) from scikit-learn.
"""

import logging
from typing import Literal

import numpy as np
from sklearn import cluster

from clustering.assign import absorb_noise, cluster_means
from clustering.base import Array, PixelClusterer
from clustering.nearest import require_finite
from clustering.pixels import Pixels

log = logging.getLogger(__name__)


class HDBSCAN(PixelClusterer):
    """Hierarchical density clustering.

    min_cluster_size: fewest points of a cluster, >= 2.
    min_samples: neighbours that make a point dense, not counting the point itself; None takes
        min_cluster_size.
    cluster_selection_epsilon: clusters nearer than this are not split.
    cluster_selection_method: "eom" (excess of mass) or "leaf".
    cluster_all: noise takes the label of the nearest cluster mean; False leaves it NOISE.
    exact: True runs the library on every point.
    n_threads: None takes all cores.
    """

    def __init__(
        self,
        min_cluster_size: int = 5,
        *,
        min_samples: int | None = None,
        cluster_selection_epsilon: float = 0.0,
        cluster_selection_method: Literal["eom", "leaf"] = "eom",
        cluster_all: bool = False,
        exact: bool = False,
        n_threads: int | None = None,
    ) -> None:
        self.min_cluster_size = min_cluster_size
        self.min_samples = min_samples
        self.cluster_selection_epsilon = cluster_selection_epsilon
        self.cluster_selection_method = cluster_selection_method
        self.cluster_all = cluster_all
        self.exact = exact
        self.n_threads = n_threads

    def _cluster(self, pixels: Pixels) -> None:
        points = pixels.take(np.arange(len(pixels))).T
        if self.min_cluster_size < 2:
            raise ValueError(f"min_cluster_size must be >= 2, got {self.min_cluster_size}")
        require_finite(pixels)
        labels = np.full(len(points), -1)
        if len(points) > max(self.min_cluster_size, self.min_samples or 0):
            labels = self._full(points)
        _finish(self, points, labels)

    def _full(self, points: Array) -> Array:
        options = {
            "min_cluster_size": self.min_cluster_size,
            "cluster_selection_epsilon": float(self.cluster_selection_epsilon),
            "cluster_selection_method": self.cluster_selection_method,
        }
        samples = self.min_samples or self.min_cluster_size
        try:
            import hdbscan
        except ImportError as error:
            log.warning("hdbscan does not load (%s); scikit-learn's HDBSCAN is used", error)
            full = cluster.HDBSCAN(min_samples=samples + 1, copy=True, **options)
        else:
            full = hdbscan.HDBSCAN(
                min_samples=samples, core_dist_n_jobs=self.n_threads or -1, **options
            )
        labels: Array = full.fit_predict(points.astype(np.float64))
        return labels


class DBSCAN(PixelClusterer):
    """Density clustering with a fixed radius.

    eps: radius of the neighbourhood, > 0.
    min_samples: points within eps, counting the point itself, that make a point a core point.
    cluster_all: noise takes the label of the nearest cluster mean; False leaves it NOISE.
    exact: True runs the library on every point.
    n_threads: None takes all cores.
    """

    def __init__(
        self,
        eps: float = 0.5,
        *,
        min_samples: int = 5,
        cluster_all: bool = False,
        exact: bool = False,
        n_threads: int | None = None,
    ) -> None:
        self.eps = eps
        self.min_samples = min_samples
        self.cluster_all = cluster_all
        self.exact = exact
        self.n_threads = n_threads

    def _cluster(self, pixels: Pixels) -> None:
        points = pixels.take(np.arange(len(pixels))).T
        if not self.eps > 0:
            raise ValueError(f"eps must be > 0, got {self.eps}; try half the bandwidth")
        require_finite(pixels)
        full = cluster.DBSCAN(
            eps=self.eps, min_samples=self.min_samples, n_jobs=self.n_threads or -1
        )
        _finish(self, points, full.fit_predict(points))


def _finish(estimator: HDBSCAN | DBSCAN, points: Array, labels: Array) -> None:
    """Store labels and cluster means, noise absorbed where the estimator asks for it."""
    estimator.labels_ = labels.astype(np.int32)
    estimator.cluster_centers_ = cluster_means(points, labels, int(labels.max()) + 1)
    if estimator.cluster_all:
        estimator.labels_ = absorb_noise(points, estimator.labels_, estimator.cluster_centers_)
