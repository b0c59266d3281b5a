"""Which points climb, how far, and how many of them: what makes mean-shift fast, step by step."""

import numpy as np
import pytest

from clustering import MeanShift
from clustering.climbing import ascend
from clustering.kernels import distances
from clustering.modes import PLENTY, SMALL, Hill


def ridge(rng: np.random.Generator) -> np.ndarray:
    """Points (2, 4000) on a line, ever denser to the right: every path leads there."""
    x = 10 * rng.uniform(0, 1, 4000) ** 0.25
    return np.stack([x, 0.1 * rng.normal(size=4000)]).astype(np.float32)


def climbed(points: np.ndarray, start: float, traces: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the mass of the mode above a place of the ridge, and where the path ended."""
    count = points.shape[1]
    at, squared = np.array([start, 0], np.float32), np.empty(count, np.float32)
    distances(points, 0, count, at, squared)
    room = np.zeros((50, 2), np.float32)
    room[: len(traces)] = traces
    places = (np.empty((0, 2), np.float32), room, len(traces))
    density = (points, np.ones(count, np.float32), count)
    rule = (np.float32(1), False, 1.0, 0)
    inside = np.empty(count + 1, np.int64)
    mass, walked = ascend(density, at, rule, places, squared, inside)
    return mass, room[len(traces) : walked]


def test_a_path_ends_where_an_earlier_one_went() -> None:
    points = ridge(np.random.default_rng(0))
    none = np.empty((0, 2), np.float32)
    mass, first = climbed(points, 2.0, none)
    assert mass > 100 and len(first) > 3
    later, own = climbed(points, 1.6, first)
    alone, whole = climbed(points, 1.6, none)
    assert later == 0 and alone == mass
    assert len(own) < len(whole)


@pytest.mark.parametrize(("clusters", "samples"), [(1, 1), (4, 2)])
def test_a_sample_of_plenty_is_the_last(
    clusters: int, samples: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(1)
    centres = 10 * np.eye(4)[:clusters]
    blobs = centres[rng.integers(0, clusters, 6000)] + 0.1 * rng.normal(size=(6000, 4))
    blobs[:600] = rng.uniform(-40, 40, (600, 4))  # a tenth is far from every mode
    points = rng.permutation(blobs).astype(np.float32)
    seen = []
    climb = Hill.climb

    def noted(self: Hill, starts, rest, weights, known, floor):  # type: ignore[no-untyped-def]
        if not len(known):
            seen.append(len(starts.places))
        return climb(self, starts, rest, weights, known, floor)

    monkeypatch.setattr(Hill, "climb", noted)
    found = MeanShift(1.0, min_points=20).fit(points)
    assert len(seen) == samples and seen[0] == SMALL == PLENTY
    assert len(found.cluster_centers_) == clusters
