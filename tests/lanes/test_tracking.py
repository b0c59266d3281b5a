"""Ids of lanes over frames."""

import numpy as np
import pytest

from embedseg.lanes.polylines import Lanes, lanes_of
from embedseg.lanes.tracking import LaneTracker, curve_distances

SIZE = (720, 1280)
Y = np.arange(300.0, 720, 20)


def lane(x: float, slope: float = 0.0) -> np.ndarray:
    return np.c_[x + slope * (Y - 300), Y]


def frame(*lanes: np.ndarray) -> Lanes:
    return lanes_of(lanes, SIZE)


def test_ids_stay_while_lanes_drift_and_are_listed_in_any_order() -> None:
    tracker = LaneTracker()
    assert tracker.update(frame(lane(300), lane(600), lane(900))).ids == (1, 2, 3)
    for step in range(1, 20):
        d = 15 * step
        assert tracker.update(frame(lane(900 + d), lane(300 + d), lane(600 + d))).ids == (3, 1, 2)


def test_a_lane_keeps_its_id_through_a_gap_but_not_for_ever() -> None:
    tracker = LaneTracker(patience=3)
    tracker.update(frame(lane(300), lane(600)))
    for _ in range(3):
        assert tracker.update(frame(lane(300))).ids == (1,)
    assert tracker.update(frame(lane(300), lane(610))).ids == (1, 2)
    for _ in range(4):
        tracker.update(frame(lane(300)))
    assert tracker.update(frame(lane(610), lane(300))).ids == (3, 1)


def test_matching_is_one_to_one_and_least_in_sum() -> None:
    tracker = LaneTracker()
    tracker.update(frame(lane(300), lane(360)))
    # both are nearest to the second track
    assert tracker.update(frame(lane(350), lane(390))).ids == (1, 2)


def test_embeddings_decide_between_curves_equally_near() -> None:
    means = np.array([[0.0, 0], [3, 0]])
    tracker = LaneTracker()
    tracker.update(frame(lane(300), lane(340)), means)
    assert tracker.update(frame(lane(318), lane(322)), means[::-1]).ids == (2, 1)
    plain = LaneTracker()
    plain.update(frame(lane(300), lane(340)))
    assert plain.update(frame(lane(318), lane(322))).ids == (1, 2)


def test_a_far_lane_is_new_and_empty_frames_are_fine() -> None:
    tracker = LaneTracker()
    assert tracker.update(frame()).ids == ()
    assert tracker.update(frame(lane(300))).ids == (1,)
    assert tracker.update(frame(lane(500))).ids == (2,)
    assert tracker.update(frame()).ids == ()


def test_distance_is_measured_across() -> None:
    assert curve_distances([lane(300)], [lane(310)], SIZE)[0, 0] == pytest.approx(10)
    assert curve_distances([lane(300, 1.0)], [lane(310, 1.0)], SIZE)[0, 0] == pytest.approx(
        10 / np.sqrt(2)
    )
    assert curve_distances([lane(0)[:5]], [lane(0)[-5:]], SIZE)[0, 0] == float("inf")
    dot, near = np.array([[300.0, 400]]), np.array([[303.0, 404]])
    assert curve_distances([dot], [near], SIZE)[0, 0] == pytest.approx(5)


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="reach and margin"):
        LaneTracker(reach=0)
    with pytest.raises(ValueError, match=r"embeddings must be \(1, E\), got \(2, 2\)"):
        LaneTracker().update(frame(lane(1)), np.zeros((2, 2)))
    with pytest.raises(ValueError, match="size"):
        LaneTracker().update(lanes_of([lane(1)]))
