"""Assigning points to centres: the nearest one, absorbing noise, merging centres that are close."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

NOISE = -1  # the label of a point of no cluster

Array = NDArray[Any]

CHUNK = 16384  # points at a time, so that distances to 100 centres take 13 MB


def nearest_centre(points: Array, centres: Array) -> tuple[NDArray[np.int32], Array]:
    """Return for each of the points (N, E) its nearest of the centres (C, E), C >= 1, and distance.

    Of equally near centres the first is taken. Numbers but float32 are worked on as float64.
    Raises ValueError without a centre, and where the shapes do not fit.
    """
    points, centres = _points(points, "points"), _points(centres, "centres")
    _require_columns(points, centres)
    if len(centres) == 0:
        raise ValueError("centres is empty; a nearest centre needs at least one")
    labels = np.empty(len(points), np.int32)
    distances = np.empty(len(points), points.dtype)
    for start in range(0, len(points), CHUNK):
        part = slice(start, start + CHUNK)
        squared = squared_distances(points[part], centres)
        labels[part] = squared.argmin(axis=1)
        distances[part] = np.sqrt(np.take_along_axis(squared, labels[part, None], 1)[:, 0])
    return labels, distances


def _points(values: Any, name: str) -> Array:
    """Return an array or nested list as (N, E) of float32 or float64."""
    array = np.asarray(values)
    if array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float64)
    if array.ndim != 2:
        raise ValueError(f"{name} must be two-dimensional, one row for each, got {array.shape}")
    return array


def _require_columns(points: Array, centres: Array) -> None:
    if points.shape[1] != centres.shape[1]:
        raise ValueError(
            f"points {points.shape} and centres {centres.shape} must have as many columns"
        )


def squared_distances(points: Array, centres: Array) -> Array:
    """Return |points_i - centres_j|^2 as (N, C), by differences, so free of cancellation."""
    result = np.zeros((len(points), len(centres)), points.dtype)
    for axis in range(points.shape[1]):
        result += (points[:, axis, None] - centres[None, :, axis]) ** 2
    return result


def absorb_noise(
    points: Array, labels: Array, centres: Array, max_distance: float = np.inf
) -> NDArray[np.int32]:
    """Return labels where noise within `max_distance` of a centre has the nearest one's label.

    `labels` (N,) holds NOISE or an index into centres (C, E); it is not written to. Points (N, E)
    and centres are taken and refused as by `nearest_centre`, but there may be no centre.
    """
    points, centres = _points(points, "points"), _points(centres, "centres")
    _require_columns(points, centres)
    result = np.array(labels, np.int32)
    if result.shape != (len(points),):
        raise ValueError(f"labels {result.shape} do not fit {len(points)} points; give one each")
    noise = np.flatnonzero(result == NOISE)
    if len(noise) and len(centres):
        nearest, distances = nearest_centre(points[noise], centres)
        near = distances <= max_distance
        result[noise[near]] = nearest[near]
    return result


def merge_centres(
    centres: Array, counts: Array, distance: float
) -> tuple[Array, NDArray[Any], NDArray[np.int32]]:
    """Merge centres (C, E) nearer than `distance`, the nearest pair first, until none is left.

    A merged centre is the mean weighted by `counts` (C,) >= 0, integers or not. Returns the merged
    centres (M, E), of the type given or float64 for integers, their counts (M,) and the map (C,)
    from old index to new. New indices follow the lowest old index. Raises ValueError where the
    shapes do not fit or a count is negative or NaN.
    """
    centres = _points(centres, "centres")
    merged = np.array(centres, np.float64)
    weight = np.array(counts)
    weight = weight.astype(np.int64 if weight.dtype.kind in "iu" else np.float64)
    if weight.shape != (len(merged),) or not (weight >= 0).all():
        raise ValueError(f"counts must be a number >= 0 for each of {len(merged)} centres")
    owner = np.arange(len(merged))
    gaps = np.sqrt(squared_distances(merged, merged))
    np.fill_diagonal(gaps, np.inf)
    while len(merged) and gaps.min() < distance:
        pair = np.unravel_index(gaps.argmin(), gaps.shape)
        keep, drop = int(min(pair)), int(max(pair))
        total = weight[keep] + weight[drop]
        merged[keep] += (merged[drop] - merged[keep]) * (weight[drop] / (total or 1))
        weight[keep] += weight[drop]
        owner[owner == drop] = keep
        gaps[drop, :] = gaps[:, drop] = np.inf
        row = np.sqrt(squared_distances(merged[keep, None], merged)[0])
        row[np.isinf(gaps.min(axis=0)) & (np.arange(len(row)) == drop)] = np.inf
        row[np.setdiff1d(np.arange(len(row)), owner)] = np.inf
        row[keep] = np.inf
        gaps[keep, :] = gaps[:, keep] = row
    kept, mapping = np.unique(owner, return_inverse=True)
    return merged[kept].astype(centres.dtype), weight[kept], mapping.astype(np.int32)


def cluster_means(points: Array, labels: Array, n_clusters: int) -> Array:
    """Return the mean (C, E) of the points of each of the labels 0..n_clusters-1, none empty."""
    inside = labels != NOISE
    counts = np.bincount(labels[inside], minlength=n_clusters)
    sums = [
        np.bincount(labels[inside], points[inside, axis], minlength=n_clusters)
        for axis in range(points.shape[1])
    ]
    return (np.stack(sums, axis=1) / counts[:, None]).astype(points.dtype)
