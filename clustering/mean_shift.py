"""Mean-shift (Comaniciu and Meer, PAMI 2002) over pixel embeddings, flat or Gaussian kernel.

A point x climbs the density by moving to the weighted mean of the points within the bandwidth b,

    x <- sum_i k(|x - x_i|) x_i / sum_i k(|x - x_i|)

with k = 1 (flat) or k = exp(-2 d^2 / b^2) (Gaussian of standard deviation b/2, cut at b), until it
stops. Where it stops is a mode; of modes nearer than b to each other the lighter ones are dropped,
and every point belongs to the nearest mode that is left.

Not every pixel climbs. (1) A spread sample of the pixels climbs its own density; where much of it
is far from every mode, and it is small for so many modes, a larger sample does. (2) One pass over
all pixels finds the nearest mode of each and the mean of those within b. (3) The pixels farther
than b from every mode climb too, over the density of all; if they find modes, or if a mean is away
from its mode, there is one more pass.

Guarantee: `min_points` pixels that lie within b/2 of a point, farther than 2b from all others, and
on no border between instances (`border_step`), are a cluster, as long as at most FAR pixels are far
from the modes of the sample. With more far pixels F this holds for clusters of well more pixels
than min_points and than TRUST * F / FAR.

Reported: `cluster_centers_` are the means of the last pass, so a pixel's label is that of its
nearest centre but for pixels that a move of less than AWAY * b would change.
"""

from typing import Any, Literal

import numpy as np

from clustering.assign import squared_distances
from clustering.base import NOISE, PixelClusterer
from clustering.modes import FAR, Hill, telling
from clustering.nearest import Assignment, assign, drop_small, extend, require_finite
from clustering.parameters import at_least, positive, whole
from clustering.pixels import Array, Pixels, rows, spread
from clustering.tensors import TensorPixels

AWAY = 0.15  # of the bandwidth: a mean farther than this from its mode calls for another pass
TURNS = 4  # searches among the far pixels, at most
PER_MODE = 128  # pixels that say where a mode is: within an eleventh of the spread around it
RUN = 4  # of them side by side: memory is read in lines
FIRST = 1024  # pixels of the first sample


class MeanShift(PixelClusterer):
    """Mean-shift clustering.

    bandwidth: radius b of the kernel, > 0. None estimates it from the data (mean distance to the
        neighbour at quantile 0.3, as scikit-learn does); with a trained network use its margins.
    kernel: "flat" or "gaussian" (standard deviation b/2, cut at b).
    min_points: a mode with fewer points within the bandwidth is no cluster. None takes one point in
        400, at least 10 and at most 30: on embeddings of trained leaf networks this scores higher
        than 10 whatever the size, which finds strips along borders.
    border_step: in an image, a pixel whose vector is this far, in bandwidths, from that of a
        neighbour in the mask lies on a border between instances: it founds no cluster, but belongs
        to one. 0 ignores borders, points (N, E) have none, and where half of the pixels are so the
        embedding is too noisy to tell.
    cluster_all: points farther than the bandwidth from every centre take the nearest centre's
        label; False makes them NOISE. Without any cluster all points are NOISE.
    n_threads: None takes all cores. The result does not depend on it.
    """

    def __init__(
        self,
        bandwidth: float | None = None,
        *,
        kernel: Literal["flat", "gaussian"] = "flat",
        min_points: int | None = None,
        border_step: float = 0.8,
        cluster_all: bool = True,
        n_threads: int | None = None,
    ) -> None:
        self.bandwidth = bandwidth
        self.kernel = kernel
        self.min_points = min_points
        self.border_step = border_step
        self.cluster_all = cluster_all
        self.n_threads = n_threads

    def _cluster(self, pixels: Pixels | TensorPixels) -> None:
        self.bandwidth_ = self.bandwidth or estimate_bandwidth(pixels)
        usual = min(max(len(pixels) // 400, 10), 30)
        self.min_points_ = usual if self.min_points is None else self.min_points
        found = self._search(pixels)
        if found is None:
            require_finite(pixels, self.n_threads)
            self.labels_ = np.full(len(pixels), NOISE, np.int32)
            self.cluster_centers_ = np.empty((0, pixels.dims), np.float32)
            return
        self.cluster_centers_ = found.means
        self.labels_ = labels = found.labels  # in place: volumes are large
        if self.cluster_all:
            np.invert(labels, out=labels, where=labels < 0)
        else:
            np.maximum(labels, NOISE, out=labels)

    def _search(self, pixels: Pixels | TensorPixels) -> Assignment | None:
        """Return the last of the passes over all pixels, or None if there is no mode."""
        step = telling(pixels, self.border_step * self.bandwidth_)
        hill = Hill(self.bandwidth_, self.kernel == "gaussian", self.min_points_, step)
        modes, sample = hill.of_sample(pixels)
        if len(modes) == 0:
            modes = hill.of_far(pixels, np.arange(len(pixels)), sample, modes)
        if len(modes) == 0:
            return None
        modes = polish(pixels, modes, self.bandwidth_)
        found = self._assign(pixels, modes)
        moved = ((found.means - modes) ** 2).sum(axis=1).max()
        away = moved > (AWAY * self.bandwidth_) ** 2
        for _ in range(TURNS):
            far = found.far()
            new = hill.of_far(pixels, far, sample, found.means)
            if away:
                found = self._assign(pixels, np.concatenate([found.means, new]))
            elif len(new):
                found = extend(pixels, found, new, self.bandwidth_, self.n_threads)
            away = False
            if len(new) == 0 or len(far) <= FAR:  # then every far pixel has been looked at
                break
        return drop_small(pixels, found, self.min_points_)

    def _assign(self, pixels: Pixels | TensorPixels, modes: Array) -> Assignment:
        return assign(pixels, modes, self.bandwidth_, keep=True, n_threads=self.n_threads)

    def _check(self) -> None:
        if self.bandwidth is not None:
            positive(self, "bandwidth", advice="for delta_v=0.5, delta_d=1.5 use about 1.5")
        whole(self, "min_points", 0, none=True)
        at_least(self, "border_step", 0, advice="0 ignores borders")
        whole(self, "n_threads", 1, none=True)
        if self.kernel not in ("flat", "gaussian"):
            raise ValueError(f"kernel must be 'flat' or 'gaussian', got {self.kernel!r}")


def polish(pixels: Pixels | TensorPixels, modes: Array, bandwidth: float) -> Array:
    """Return modes (C, E) moved to the means of PER_MODE pixels each, where the pixels allow it.

    The first sample has few points for each of many modes, so they lie off by more than AWAY.
    """
    size = PER_MODE * len(modes)
    if size <= FIRST or size > len(pixels) // 4:
        return modes
    ranks = (spread(len(pixels) - RUN, size // RUN)[:, None] + np.arange(RUN)).ravel()
    return assign(rows(pixels.take(ranks).T), modes, bandwidth).means


def estimate_bandwidth(
    pixels: Pixels | TensorPixels, quantile: float = 0.3, n_sample: int = 512
) -> float:
    """Return the mean distance to the neighbour at `quantile`, over at most n_sample points."""
    some: Array = pixels.take(spread(len(pixels), n_sample)).T
    rank = max(int(len(some) * quantile), 1) - 1
    squared: Any = np.partition(squared_distances(some, some), rank, axis=1)[:, rank]
    return float(np.sqrt(squared).mean()) or 1.0
