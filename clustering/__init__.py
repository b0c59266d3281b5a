"""Clustering of pixel embeddings: arrays in, labels out, as scikit-learn estimators."""

from clustering.assign import absorb_noise, merge_centres, nearest_centre
from clustering.base import NOISE, PixelClusterer
from clustering.centres import CentreClustering
from clustering.density import DBSCAN, HDBSCAN
from clustering.mean_shift import MeanShift
from clustering.spatial import SpatialClustering
from clustering.threshold import ThresholdClustering

CLUSTERERS: dict[str, type[PixelClusterer]] = {
    "mean_shift": MeanShift,
    "threshold": ThresholdClustering,
    "hdbscan": HDBSCAN,
    "dbscan": DBSCAN,
    "spatial": SpatialClustering,
    "centres": CentreClustering,
}

__all__ = [
    "CLUSTERERS",
    "DBSCAN",
    "HDBSCAN",
    "NOISE",
    "CentreClustering",
    "MeanShift",
    "PixelClusterer",
    "SpatialClustering",
    "ThresholdClustering",
    "absorb_noise",
    "merge_centres",
    "nearest_centre",
]
