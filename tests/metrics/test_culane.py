"""The CULane score on hand-computed cases."""

import numpy as np
import pytest

from embedseg.metrics.culane import (
    LaneCounts,
    culane_image,
    culane_score,
    lane_iou,
    pooled,
    spline,
)

DRAWN = 31  # pixels that a line of width 30 covers


def upright(x: float) -> np.ndarray:
    return np.array([[x, -100.0], [x, 700.0]])


def test_iou_of_shifted_lines_is_that_of_intervals() -> None:
    iou = lane_iou([upright(400)], [upright(400), upright(410), upright(431), upright(400.2)])
    assert iou[0].tolist() == pytest.approx([1, (DRAWN - 10) / (DRAWN + 10), 0, 1])


def test_lane_at_the_border_is_clipped_not_dropped() -> None:
    # half of 31 columns lie outside: 16 remain of either
    assert lane_iou([upright(0)], [upright(5)])[0, 0] == pytest.approx(16 / 21)


@pytest.mark.parametrize(("shift", "tp"), [(10, 1), (11, 0)])
def test_threshold_is_strict_and_counts_pool(shift: float, tp: int) -> None:
    # 21 / 41 = 0.512 and 20 / 42 = 0.476
    pred, truth = [upright(400 + shift), upright(900)], [upright(400)]
    assert culane_image(pred, truth) == LaneCounts(tp, 2 - tp, 1 - tp)
    assert culane_image(truth, pred) == LaneCounts(tp, 1 - tp, 2 - tp)
    assert culane_image(pred, truth, threshold=0.3).tp == 1
    assert culane_image(truth, truth, threshold=1.0).tp == 0


def test_matching_is_one_to_one_and_maximises_the_sum() -> None:
    truth = [upright(400), upright(408)]
    assert culane_image([upright(404)], truth) == LaneCounts(1, 0, 1)
    # first come, first served would give 410 to 400 and leave 395 with 420: one hit only
    truth = [upright(400), upright(420)]
    assert culane_image([upright(410), upright(395)], truth) == LaneCounts(2, 0, 0)


def test_empty_and_one_point_lanes() -> None:
    assert culane_image([], []) == LaneCounts(0, 0, 0)
    assert culane_image([], [upright(3)]) == LaneCounts(0, 0, 1)
    assert culane_image([upright(3)], []) == LaneCounts(0, 1, 0)
    point = np.array([[400.0, 300.0]])
    assert culane_image([point], [point]) == LaneCounts(0, 1, 1)
    assert culane_image([[]], [upright(3)]) == LaneCounts(0, 1, 1)
    assert LaneCounts(0, 0, 0).f1 == 0 and pooled([]) == LaneCounts(0, 0, 0)


def test_spline_is_natural_cubic_through_the_points() -> None:
    line = spline(np.array([[0.0, 0], [1, 1], [4, 4], [6, 6]]))
    assert len(line) == 3 * 50 + 1
    np.testing.assert_allclose(line[:, 0], line[:, 1], atol=1e-12)
    # natural spline through (0,0),(1,1),(2,0) over chords sqrt(2): y(1/2) = 11/16
    bent = spline(np.array([[0.0, 0], [1, 1], [2, 0]]))
    assert bent[25] == pytest.approx((0.5, 11 / 16))
    np.testing.assert_allclose(bent[[0, 50, 100]], [[0, 0], [1, 1], [2, 0]], atol=1e-12)


def test_repeated_points_and_far_points_do_no_harm() -> None:
    lane = np.array([[100.0, 590], [100, 590], [100, 300], [100, 300], [100, 250]])
    assert lane_iou([lane], [lane[[0, 2, 4]]])[0, 0] == pytest.approx(1)
    far = np.array([[1e12, 300.0], [-1e12, 300.0]])
    assert lane_iou([far], [np.array([[-50.0, 300], [1700, 300]])])[0, 0] == pytest.approx(1)


def test_categories_and_cross() -> None:
    truth = {"a": [upright(400)], "b": [upright(800)], "c": [upright(100)]}
    pred = {"a": [upright(402)], "b": [], "c": [upright(900), upright(100)]}
    got = culane_score(pred, truth, categories={"normal": ["a", "b"], "cross": ["c"]})
    assert got["normal"] == LaneCounts(1, 0, 1)
    assert got["cross"] == LaneCounts(0, 1, 0)
    assert got["total"] == LaneCounts(1, 1, 1)
    assert got["total"].f1 == 0.5 and got["total"].precision == 0.5
    assert culane_score(pred, truth) == {"total": LaneCounts(2, 1, 1)}
    del pred["b"]
    assert culane_score(pred, truth) == {"total": LaneCounts(2, 1, 1)}


def test_errors_name_the_case() -> None:
    with pytest.raises(ValueError, match="not in the truth, the first is 'x'"):
        culane_score({"x": []}, {})
    with pytest.raises(ValueError, match="category 'night' lists 'z'"):
        culane_score({}, {}, categories={"night": ["z"]})
    with pytest.raises(ValueError, match="finite"):
        lane_iou([np.array([[np.nan, 1], [2, 3]])], [])
    with pytest.raises(ValueError, match="width"):
        lane_iou([], [], width=0)


def test_prediction_and_truth_change_places() -> None:
    rng = np.random.default_rng(3)
    y = np.arange(200.0, 591, 30)
    for _ in range(4):
        a, b = (
            [np.c_[rng.uniform(100, 1500) + rng.uniform(-1, 1) * (y - 200), y] for _ in range(n)]
            for n in (4, 3)
        )
        b.append(a[1] + rng.uniform(-8, 8, 2))
        np.testing.assert_array_equal(lane_iou(a, b), lane_iou(b, a).T)
        there, back = culane_image(a, b), culane_image(b, a)
        assert there == LaneCounts(back.tp, back.fn, back.fp) and there.f1 == back.f1 > 0
