"""HDBSCAN and DBSCAN for pixels: density clustering with noise.

HDBSCAN (Campello, Moulavi, Sander, PAKDD 2013) takes its clusters from the tree of the `hdbscan`
package; the minimum spanning tree beneath, most of its time, is our own: see `spanning`. Where the
package does not load, all is scikit-learn's. DBSCAN (Ester et al., KDD 1996) is scikit-learn's.

With more than SAMPLE points a sample is clustered, its counts scaled to the sample, and every point
follows its nearest neighbour there: see `condense`. That equals the full run where clusters are
dense against the gaps between them; it differs where min_cluster_size or min_samples times the
sampled share is below the few points that a density needs (FEW), so that small clusters merge or
vanish into noise, and at the rims of clusters. `exact=True` is the library's own run of all points;
with at most SAMPLE points HDBSCAN differs from it in the order of equal distances alone, and where
the library's spanning tree is an approximation.
"""

import logging
from typing import Any, Literal

import numpy as np
from scipy.spatial import cKDTree
from sklearn import cluster

from clustering.assign import cluster_means
from clustering.base import NOISE, PixelClusterer
from clustering.condense import Condensed, Labels, condensed
from clustering.nearest import require_finite
from clustering.parameters import at_least, positive, whole
from clustering.pixels import Array, Pixels
from clustering.spanning import single_linkage, spanning_tree
from clustering.tensors import TensorPixels

log = logging.getLogger(__name__)

SAMPLE_HDBSCAN = 2048  # points
SAMPLE_DBSCAN = 8192  # points; a fixed radius needs more of them
FEW = 8  # sampled points that make a density, at least


class _Density(PixelClusterer):
    """What both share: an exact run takes float64 points (N, E) as they are."""

    exact: bool
    _given: Array | None = None

    def _fit_points(self, points: Array) -> None:
        self._given = points if self.exact else None
        try:
            super()._fit_points(points)
        finally:
            del self._given


class HDBSCAN(_Density):
    """Hierarchical density clustering.

    min_cluster_size: fewest points of a cluster, >= 2.
    min_samples: neighbours that make a point dense, not counting the point itself; None takes
        min_cluster_size.
    cluster_selection_epsilon: clusters nearer than this are not split.
    cluster_selection_method: "eom" (excess of mass) or "leaf".
    cluster_all: noise takes the label of the nearest point that has one, with more than SAMPLE
        points that of the nearest prototype; False leaves it NOISE.
    exact: True runs the library on every point.
    n_threads: None takes all cores. The result does not depend on it.
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

    def _check(self) -> None:
        whole(self, "min_cluster_size", 2, advice="try 50")
        whole(self, "min_samples", 1, none=True, advice="None takes min_cluster_size")
        at_least(self, "cluster_selection_epsilon", 0)
        whole(self, "n_threads", 1, none=True)
        if self.cluster_selection_method not in ("eom", "leaf"):
            raise ValueError(
                "cluster_selection_method must be 'eom' or 'leaf', "
                f"got {self.cluster_selection_method!r}"
            )

    def _cluster(self, pixels: Pixels | TensorPixels) -> None:
        size = len(pixels) if self.exact else SAMPLE_HDBSCAN
        _finish(self, pixels, self._labels, size, self.min_cluster_size)

    def _labels(self, points: Array, share: float) -> Labels:
        """Return the labels of points (M, E) that are this share of all."""
        few = FEW if share < 1 else 0
        smallest = max(round(self.min_cluster_size * share), few, 2)
        samples = max(round((self.min_samples or self.min_cluster_size) * share), few, 1)
        if len(points) <= max(smallest, samples):
            return np.full(len(points), NOISE, np.int32)
        options: dict[str, Any] = {
            "min_cluster_size": smallest,
            "cluster_selection_epsilon": float(self.cluster_selection_epsilon),
            "cluster_selection_method": self.cluster_selection_method,
        }
        labels: Array
        try:
            import hdbscan
            from hdbscan.hdbscan_ import _tree_to_labels
        except ImportError as error:
            log.warning("hdbscan does not load (%s); scikit-learn's HDBSCAN is used", error)
            full = cluster.HDBSCAN(min_samples=samples + 1, copy=True, **options)
            labels = full.fit_predict(points.astype(np.float64))
        else:
            if self.exact:
                jobs = self.n_threads or -1
                full = hdbscan.HDBSCAN(min_samples=samples, core_dist_n_jobs=jobs, **options)
                labels = full.fit_predict(points.astype(np.float64))
            else:
                tree = single_linkage(spanning_tree(points.T, samples))
                labels = _tree_to_labels(points, tree, **options)[0]
        return labels.astype(np.int32)


class DBSCAN(_Density):
    """Density clustering with a fixed radius.

    eps: radius of the neighbourhood, > 0.
    min_samples: points within eps, counting the point itself, that make a point a core point.
    cluster_all: noise takes the label of the nearest point that has one, with more than SAMPLE
        points that of the nearest prototype; False leaves it NOISE.
    exact: True runs the library on every point.
    n_threads: None takes all cores. The result does not depend on it.
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

    def _check(self) -> None:
        positive(self, "eps", advice="try half the bandwidth")
        whole(self, "min_samples", 1, advice="try 50")
        whole(self, "n_threads", 1, none=True)

    def _cluster(self, pixels: Pixels | TensorPixels) -> None:
        size = len(pixels) if self.exact else SAMPLE_DBSCAN
        _finish(self, pixels, self._library, size, self.min_samples)

    def _library(self, points: Array, share: float) -> Labels:
        """Return the library's labels of points (M, E) that are this share of all."""
        few = FEW if share < 1 else 1
        samples = max(round(self.min_samples * share), min(few, self.min_samples))
        full = cluster.DBSCAN(eps=self.eps, min_samples=samples, n_jobs=self.n_threads or -1)
        labels: Array = full.fit_predict(points)
        return labels.astype(np.int32)


def _finish(
    estimator: HDBSCAN | DBSCAN,
    pixels: Pixels | TensorPixels,
    method: Any,
    size: int,
    min_size: int,
) -> None:
    """Store labels and cluster means, noise absorbed where the estimator asks for it."""
    if len(pixels) > size:
        found = condensed(pixels, method, size, min_size, estimator.n_threads)
    else:
        found = _full(pixels, method, estimator._given, estimator.n_threads)
    estimator.labels_ = found.nearest if estimator.cluster_all else found.labels
    estimator.cluster_centers_ = found.centres


def _full(
    pixels: Pixels | TensorPixels, method: Any, given: Array | None, n_threads: int | None
) -> Condensed:
    """Return the library's own labels of all points, or of the same in float64, `given` (N, E)."""
    require_finite(pixels)
    points = pixels.take(np.arange(len(pixels))).T
    labels: Labels = method(points if given is None else given, 1.0)
    centres = cluster_means(points, labels, int(labels.max()) + 1)
    nearest = labels.copy()
    noise = labels == NOISE
    if noise.any() and len(centres):
        clustered = cKDTree(points[~noise])
        nearest[noise] = labels[~noise][clustered.query(points[noise], workers=n_threads or -1)[1]]
    return Condensed(labels, nearest, centres)
