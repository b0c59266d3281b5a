"""The search for a setting that is good on images not looked at, not only on these.

Coordinate by coordinate: all values of an axis are scored with the others held; the curve is
smoothed over neighbouring values, so that a plateau beats a lucky spike; the value at the top of
the smooth curve is taken only if it gains more than one standard error of the paired difference.
Rounds are repeated until nothing moves. `cross_validate` runs this very search on one half of the
images and scores its choice on the other half, over several splits: what it gains there is what a
user can expect, and a search that gains nothing there is not believed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embedseg.tuning.figures import gain, score
from embedseg.tuning.judge import Judge
from embedseg.tuning.space import Axis, Setting, moved, start_of

ROUNDS = 3  # over all axes, at most
SMOOTHING = (0.25, 0.5, 0.25)  # weights of the value before, the value, the value after
LEAST_GAIN = 1e-4  # of a score in [0, 1]: less is no gain

Images = Sequence[int]


def search(judge: Judge, axes: Sequence[Axis], images: Images, *, rounds: int = ROUNDS) -> Setting:
    """Return the setting chosen by the `images` (indices) alone, from the untuned one."""
    best = start_of(axes)
    for _ in range(rounds):
        before = best
        for place in range(len(axes)):
            best = step(judge, axes, best, place, images)
        if best == before:
            break
    return best


def step(judge: Judge, axes: Sequence[Axis], best: Setting, place: int, images: Images) -> Setting:
    """Return `best`, or `best` with a better value of the axis at `place`."""
    axis = axes[place]
    tried = [moved(best, place, value) for value in axis.values]
    scores = np.array([score(judge.parts(setting), images) for setting in tried])
    smooth = plateau(scores) if axis.ordered else scores
    candidate = tried[int(smooth.argmax())]
    more, error = gain(judge.parts(candidate), judge.parts(best), images)
    return candidate if more > max(error, LEAST_GAIN) else best


def plateau(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return `scores` smoothed over neighbours; an end counts itself as its missing neighbour."""
    padded = np.pad(scores, 1, mode="edge")
    smooth: NDArray[np.float64] = np.convolve(padded, SMOOTHING, mode="valid")
    return smooth


@dataclass(frozen=True)
class CrossValidation:
    """What the search gains on images it did not see: one `gains` for each half of each split."""

    gains: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Return the mean gain."""
        return float(np.mean(self.gains))

    @property
    def error(self) -> float:
        """Return the standard error of the mean gain, as if the halves were independent."""
        return float(np.std(self.gains, ddof=1) / np.sqrt(len(self.gains)))


def cross_validate(
    judge: Judge,
    axes: Sequence[Axis],
    groups: Sequence[Sequence[int]],
    *,
    splits: int,
    rng: np.random.Generator,
    rounds: int = ROUNDS,
) -> CrossValidation:
    """Tune on one half of the images and score on the other, both ways, over `splits` splits.

    `groups` are sets of images that stay together (photographs of one plant); there must be two.
    """
    gains = []
    start = judge.parts(start_of(axes))
    for _ in range(splits):
        for tuned_on, scored_on in both_ways(halves(groups, rng)):
            chosen = search(judge, axes, tuned_on, rounds=rounds)
            gains.append(gain(judge.parts(chosen), start, scored_on)[0])
    return CrossValidation(tuple(gains))


def halves(
    groups: Sequence[Sequence[int]], rng: np.random.Generator
) -> tuple[list[int], list[int]]:
    """Deal shuffled groups, each to the smaller half."""
    if len(groups) < 2:
        raise ValueError(f"two groups of images are needed to tune and check, got {len(groups)}")
    parts: tuple[list[int], list[int]] = ([], [])
    for index in rng.permutation(len(groups)):
        min(parts, key=len).extend(groups[index])
    return parts


def both_ways(pair: tuple[list[int], list[int]]) -> list[tuple[list[int], list[int]]]:
    """Return the pair and the pair turned round."""
    return [pair, (pair[1], pair[0])]
