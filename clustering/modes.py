"""The modes of the pixels' density: climbing a sample, then the pixels far from every mode."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clustering import borders, climbing
from clustering.nearest import require_finite
from clustering.pixels import Candidates, Pixels, spread
from clustering.tensors import TensorPixels

Array = NDArray[np.float32]

# Pixels whose density is climbed first, and the share of them far from its modes that calls for
# the next size.
SAMPLES = ((1024, 0.02), (4096, 0.08), (16384, 1.0))
SMALL, SHARE = 512, 16  # the first sample of a small image: every SHARE-th pixel, at least SMALL
PLENTY = 512  # sampled pixels for each mode; if half of them are near one, `of_far` does the rest
FAR = 4096  # far pixels that are looked at, at most
TRUST = 4  # sampled pixels that a mode of a sample must have
PROBE = 128  # pixels that tell whether the embedding is smooth
ROOM = FAR  # modes that one climb may find: every far pixel that is looked at may be one


def telling(pixels: Pixels | TensorPixels, step: float) -> float:
    """Return `step`, or 0 if half of the pixels are this far from a neighbour: noise, no borders.

    PROBE pixels are looked at.
    """
    if step <= 0:
        return 0.0
    some = pixels.candidates(spread(len(pixels), PROBE), step)
    borders.bar(some.founders(), some.barred)
    return step if 2 * np.count_nonzero(some.barred) < len(some.barred) else 0.0


@dataclass(frozen=True)
class Hill:
    """How to climb: bandwidth b, kernel, and the fewest points within b of a mode.

    No pixel climbs whose distance to a neighbour in the image is `step` or more; 0: all do.
    """

    bandwidth: float
    gaussian: bool
    min_points: int
    step: float

    def climb(
        self, starts: Candidates, rest: Array, weights: Array, known: Array, floor: float
    ) -> Array:
        """Return the modes (L, E) above the starts (E, S), heaviest first.

        They climb the density of the starts and of the `rest` (E, M - S), with `weights` (M,).
        Left out are modes with less than min_points, or less than TRUST points, of the starts
        within b, and modes nearer than b to one of `known` (C, E) or to a heavier one. A start has
        `floor` times that at least within b.
        """
        limit = np.float32(self.bandwidth**2)
        share = float(weights[0])
        least = float(max(self.min_points, TRUST * share if share > 1 else 0))
        first = len(known)
        own = len(starts.places)
        points = np.concatenate([starts.points, rest], axis=1) if rest.size else starts.points
        found = np.empty((first + min(ROOM, own), len(points)), np.float32)
        found[:first] = known
        masses = np.zeros(len(found))
        rule = (limit, self.gaussian, floor * least, first)
        count = climbing.climb(points, weights, starts.founders(), rule, found, masses)
        order = np.argsort(-masses[first:count], kind="stable") + first
        modes: Array = found[climbing.choose(found, masses, order, first, limit, least)]
        return modes

    def of_sample(self, pixels: Pixels | TensorPixels) -> tuple[Array, Array]:
        """Return the modes (C, E) of a spread sample of the pixels, and the sample (E, M) near.

        The sample is small at first; larger ones follow while much of it is far from all modes, as
        it is where clusters are many or touch, and has few pixels for each mode.
        """
        none = np.empty((0, pixels.dims), np.float32)
        first = max(SMALL, len(pixels) // SHARE)
        for index, (most, mess) in enumerate(SAMPLES):
            size = most if index else min(most, first)
            ranks = spread(len(pixels), size)
            sample = pixels.candidates(ranks, self.step)
            if not np.isfinite(sample.points).all():
                require_finite(pixels)
            weights = np.full(len(ranks), len(pixels) / len(ranks), np.float32)
            modes = self.climb(sample, none.T, weights, none, 0.0)
            near = np.zeros(len(ranks), np.bool_)
            climbing.within(sample.points, modes, np.float32(self.bandwidth**2), near)
            borders.bar(sample.founders(), near)
            lost = len(ranks) - np.count_nonzero(near | sample.barred)
            plenty = PLENTY * len(modes) if len(modes) else len(pixels)
            rich = 2 * lost < len(ranks) and len(ranks) >= plenty
            if lost <= mess * len(ranks) or rich or len(ranks) == len(pixels):
                break
        return modes, sample.points.take(np.flatnonzero(near), axis=1)

    def of_far(
        self, pixels: Pixels | TensorPixels, far: NDArray[np.int64], sample: Array, known: Array
    ) -> Array:
        """Return further modes above the pixels `far` (ranks), which are > b from every known one.

        They climb the density of the far pixels, each for itself, and of the sample near the known
        modes (E, M) for the rest.
        """
        if len(far) < self.min_points:
            return np.empty((0, pixels.dims), np.float32)
        some = far[spread(len(far), FAR)] if len(far) > FAR else far
        starts = pixels.candidates(some, self.step).free()
        own = len(starts.places)
        if own == 0:
            return np.empty((0, pixels.dims), np.float32)
        weights = np.empty(own + sample.shape[1], np.float32)
        weights[:own] = len(far) / len(some)
        weights[own:] = (len(pixels) - len(far)) / max(sample.shape[1], 1)
        return self.climb(starts, sample, weights, known, 0.5)
