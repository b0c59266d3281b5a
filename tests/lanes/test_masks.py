"""Lane masks: exact against a slow loop, clipped at the border, order does not matter."""

from itertools import pairwise

import numpy as np
import pytest

from embedseg.lanes.masks import draw_lanes
from embedseg.lanes.polylines import Lanes, lanes_of


def distance(lane: np.ndarray, x: float, y: float) -> float:
    best, p = np.inf, np.array([x, y])
    for a, b in pairwise(lane):
        t = np.clip((p - a) @ (b - a) / max((b - a) @ (b - a), 1e-300), 0, 1)
        best = min(best, float(np.linalg.norm(p - a - t * (b - a))))
    return best


def slow(lanes: Lanes, shape: tuple[int, int], width: float) -> np.ndarray:
    out = np.zeros(shape, int)
    for y, x in np.ndindex(*shape):
        gaps = [distance(lane, x, y) for lane in lanes.points]
        if min(gaps) <= width / 2:
            out[y, x] = int(np.argmin(gaps)) + 1
    return out


def test_equals_the_slow_loop_on_random_lanes() -> None:
    rng = np.random.default_rng(3)
    lanes = lanes_of(rng.uniform(-8, 28, (4, 4, 2)), (17, 21))
    for width in (1.0, 4.5, 9.0):
        np.testing.assert_array_equal(draw_lanes(lanes, width=width), slow(lanes, (17, 21), width))


def test_width_is_the_width() -> None:
    lanes = lanes_of([[(10, -9), (10, 99)], [(30, 20), (60, 20)]], (40, 80))
    labels = draw_lanes(lanes, width=5)
    assert np.flatnonzero(labels[5]).tolist() == [8, 9, 10, 11, 12]
    assert np.flatnonzero(labels[:, 45]).tolist() == [18, 19, 20, 21, 22]
    assert np.flatnonzero(labels[20] == 2)[[0, -1]].tolist() == [28, 62]


def test_lane_along_the_border_is_cut_not_dropped() -> None:
    labels = draw_lanes(lanes_of([[(-1, 0), (-1, 9)]], (10, 10)), width=5)
    assert np.flatnonzero(labels[4]).tolist() == [0, 1]
    outside = draw_lanes(lanes_of([[(-9, 0), (-9, 9)], [(1e8, 2), (2e8, 2)]], (10, 10)))
    assert not outside.any()


def test_one_point_is_a_disc_and_all_lanes_are_kept() -> None:
    lanes = lanes_of([[(10 * i + 5, 5)] for i in range(9)], (10, 100))
    labels = draw_lanes(lanes, width=5)
    ids, counts = np.unique(labels, return_counts=True)
    assert ids.tolist() == list(range(10)) and set(counts[1:]) == {21}


def test_order_of_the_lanes_does_not_matter() -> None:
    a, b = np.array([[20.0, 0], [0.0, 40]]), np.array([[20.0, 0], [40.0, 40]])
    ab = draw_lanes(Lanes((a, b), (41, 41), ids=(7, 9)), width=8)
    ba = draw_lanes(Lanes((b, a), (41, 41), ids=(9, 7)), width=8)
    tie = np.indices(ab.shape)[1] == 20
    np.testing.assert_array_equal(ab[~tie], ba[~tie])
    assert (ab[tie & (ab > 0)] == 7).all() and (ba[tie & (ba > 0)] == 9).all()


def test_working_size_and_width_are_of_the_output() -> None:
    lanes = lanes_of([[(639.5, 0), (639.5, 719)]], (720, 1280))
    labels = draw_lanes(lanes, (256, 512), width=4)
    assert labels.shape == (256, 512) and labels.dtype == np.int32
    assert np.flatnonzero(labels[100]).tolist() == [254, 255, 256, 257]
    given = draw_lanes(lanes_of([[(3, 3)]]), (6, 6), width=1)
    assert given.sum() == 1


def test_no_lanes_and_bad_arguments() -> None:
    assert not draw_lanes(lanes_of([], (4, 5))).any()
    lanes = lanes_of([[(1, 1)]])
    with pytest.raises(ValueError, match="size"):
        draw_lanes(lanes)
    with pytest.raises(ValueError, match="width must be > 0"):
        draw_lanes(lanes, (4, 4), width=0)
    with pytest.raises(ValueError, match="ids must be >= 1"):
        draw_lanes(Lanes(lanes.points, (4, 4), ids=(0,)))
