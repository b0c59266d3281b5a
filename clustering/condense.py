"""Clustering a sample by any method, then all pixels by their nearest prototype of the sample.

A density clusterer costs seconds at the scale of pixels, and neighbouring pixels tell it nothing
new. So (1) it clusters a spread sample of M of the N pixels, its counts scaled by M / N; (2) some
of the clustered points become prototypes, and one pass over all pixels gives each the cluster of
its nearest prototype, or noise if that is farther away than any point of that cluster in the sample
is from its nearest prototype; (3) the same is done once more with the pixels that are noise, among
which clusters too small for the first sample are found.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clustering.assign import NOISE, squared_distances
from clustering.nearest import FARTHEST, assign, require_finite
from clustering.pixels import Array, Pixels, spread
from clustering.tensors import TensorPixels

PROTOTYPES = 512  # of all clusters together, about
THIN = 4  # one in so many of them stands for its cluster among the noise
FEWEST = 8  # prototypes of one cluster, if it has so many points
SLACK = 1 + 1e-5  # so that rounding does not leave out the point that set a reach

Labels = NDArray[np.int32]
Method = Callable[[Array, float], Labels]  # points (M, E) and M / N -> labels (M,), noise -1


@dataclass(frozen=True)
class Prototypes:
    """Points (P, E), the cluster (P,) of each, and how far (P,) its cluster reaches around it."""

    points: Array
    cluster: Labels
    reach: Array

    def joined(self, other: "Prototypes") -> "Prototypes":
        """Return these and the other ones, whose clusters are numbered after these."""
        shift = 1 + (self.cluster.max() if len(self.cluster) else NOISE)
        return Prototypes(
            np.concatenate([self.points, other.points]),
            np.concatenate([self.cluster, other.cluster + shift]),
            np.concatenate([self.reach, other.reach]),
        )


@dataclass(frozen=True)
class Condensed:
    """Of every pixel: its cluster or NOISE, and the nearest cluster; the clusters' means (C, E)."""

    labels: Labels
    nearest: Labels
    centres: Array


def condensed(
    pixels: Pixels | TensorPixels, method: Method, size: int, min_size: int, n_threads: int | None
) -> Condensed:
    """Cluster the pixels by the method on samples of at most `size`; see the head of this file.

    Fewer than min_size noise pixels are not looked at again.
    """
    sample = pixels.take(spread(len(pixels), size)).T
    if not np.abs(sample).max() <= FARTHEST:
        require_finite(pixels, n_threads)
    prototypes = choose(sample, method(sample, len(sample) / len(pixels)))
    found = _pass(pixels, prototypes, n_threads)
    noise = np.flatnonzero(found.labels == NOISE)
    if len(noise) < max(min_size, 2) or len(noise) == len(pixels):
        return found
    rest = pixels.take(noise[spread(len(noise), size)]).T
    known = prototypes.points[::THIN]
    labels = method(np.concatenate([rest, known]), len(rest) / len(noise))
    seen = np.unique(labels[len(rest) :])  # a cluster with a prototype is one that is known
    fresh = np.where(np.isin(labels[: len(rest)], seen), NOISE, labels[: len(rest)])
    if (fresh == NOISE).all():
        return found
    return _pass(pixels, prototypes.joined(choose(rest, fresh)), n_threads)


def choose(points: Array, labels: Labels) -> Prototypes:
    """Return prototypes of the clusters of points (M, E), their number by the clusters' sizes."""
    rows, clusters, reaches = [], [], []
    share = PROTOTYPES / max(int(np.count_nonzero(labels != NOISE)), 1)
    for index, value in enumerate(np.unique(labels[labels != NOISE])):
        members = points[labels == value]
        chosen = spread(len(members), max(FEWEST, int(share * len(members))))
        gaps = squared_distances(members, members[chosen])
        gaps[chosen, np.arange(len(chosen))] = np.inf  # a prototype is not its own neighbour
        reach = np.sqrt(gaps.min(axis=1).max()) if len(members) > 1 else 0.0
        rows.append(members[chosen])
        clusters.append(np.full(len(chosen), index, np.int32))
        reaches.append(np.full(len(chosen), reach * SLACK, np.float32))
    if not rows:
        empty = np.empty((0, points.shape[1]), np.float32)
        return Prototypes(empty, np.empty(0, np.int32), np.empty(0, np.float32))
    return Prototypes(np.concatenate(rows), np.concatenate(clusters), np.concatenate(reaches))


def _pass(
    pixels: Pixels | TensorPixels, prototypes: Prototypes, n_threads: int | None
) -> Condensed:
    if len(prototypes.points) == 0:
        require_finite(pixels, n_threads)
        noise = np.full(len(pixels), NOISE, np.int32)
        return Condensed(noise, noise, prototypes.points)
    found = assign(
        pixels,
        prototypes.points,
        prototypes.reach,
        groups=prototypes.cluster,
        n_threads=n_threads,
    )
    nearest = prototypes.cluster[found.nearest()]
    labels = np.where(found.labels < 0, np.int32(NOISE), nearest)
    sums = np.zeros((prototypes.cluster[-1] + 1, pixels.dims))
    counts = np.zeros(len(sums), np.int64)
    np.add.at(sums, prototypes.cluster, found.means * found.counts[:, None])
    np.add.at(counts, prototypes.cluster, found.counts)
    return Condensed(labels, nearest, (sums / np.maximum(counts, 1)[:, None]).astype(np.float32))
