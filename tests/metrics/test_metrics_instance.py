"""Scores of one pair of label images: by hand, by property, by oracle, at the edges."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedseg.metrics import (
    average_precision,
    best_dice,
    class_iou,
    difference_in_count,
    f1,
    foreground_dice,
    foreground_iou,
    panoptic_quality,
    symmetric_best_dice,
)
from embedseg.metrics.matching import count_matches, match, pool
from tests.oracles_metrics import best_matching, leaf_scores, matched_above_half

# A truth of four instances of 4 pixels each; a prediction that gets one right, one by 3 of 5
# pixels, one by 2 of 6, misses one and makes one up.
TRUTH = np.array(
    [
        [1, 1, 0, 2, 2, 0, 0, 0],
        [1, 1, 0, 2, 2, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 0],
        [3, 3, 0, 0, 0, 7, 7, 0],
        [3, 3, 0, 0, 0, 7, 7, 0],
        [0, 0, 0, 0, 0, 0, 0, 0],
    ]
)
PREDICTION = np.array(
    [
        [9, 9, 0, 4, 4, 0, 0, 0],
        [9, 9, 4, 4, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 6, 6],
        [0, 0, 0, 0, 0, 0, 6, 6],
        [5, 5, 5, 5, 0, 0, 0, 0],
    ]
)
NOTHING = np.zeros_like(TRUTH)


def images(shape=(5, 6), low=0):
    values = st.lists(st.integers(low, 4), min_size=30, max_size=30)
    return values.map(lambda v: np.array(v).reshape(shape))


def test_hand_computed_case():
    # Dice: 9-1: 1, 4-2: 6/8, 6-7: 4/8; IoU: 1, 3/5, 2/6.
    assert best_dice(PREDICTION, TRUTH) == pytest.approx((1 + 0.75 + 0.5 + 0) / 4)
    assert best_dice(TRUTH, PREDICTION) == pytest.approx((1 + 0.75 + 0.5 + 0) / 4)
    assert difference_in_count(PREDICTION, TRUTH) == 0
    assert foreground_dice(PREDICTION, TRUTH) == pytest.approx(2 * 9 / (16 + 16))
    assert foreground_iou(PREDICTION, TRUTH) == pytest.approx(9 / 23)
    assert average_precision(PREDICTION, TRUTH) == pytest.approx(2 / (2 + 2 + 2))
    assert average_precision(PREDICTION, TRUTH, threshold=0.3) == pytest.approx(3 / (3 + 1 + 1))
    assert average_precision(PREDICTION, TRUTH, threshold=0.75) == pytest.approx(1 / (1 + 3 + 3))
    assert f1(PREDICTION, TRUTH) == pytest.approx(2 * 2 / (2 * 2 + 2 + 2))
    quality = panoptic_quality(PREDICTION, TRUTH)
    assert quality == pytest.approx((0.8 * 0.5, (1 + 0.6) / 2, 0.5))


def test_unequal_counts_tell_the_sides_apart():
    prediction = np.where(PREDICTION == 5, 0, PREDICTION)  # three predictions, four true
    assert best_dice(prediction, TRUTH) == pytest.approx(2.25 / 3)
    assert best_dice(TRUTH, prediction) == pytest.approx(2.25 / 4)
    assert symmetric_best_dice(prediction, TRUTH) == pytest.approx(2.25 / 4)
    assert symmetric_best_dice(TRUTH, prediction) == pytest.approx(2.25 / 4)
    assert difference_in_count(prediction, TRUTH) == -1
    assert difference_in_count(TRUTH, prediction) == 1
    assert average_precision(prediction, TRUTH) == pytest.approx(2 / (2 + 1 + 2))
    assert f1(prediction, TRUTH) == pytest.approx(4 / (4 + 1 + 2))


def test_matching_at_exactly_the_threshold():
    assert average_precision(PREDICTION, TRUTH, threshold=0.6) == pytest.approx(2 / 6)  # 3 of 5
    half_truth, half = np.array([[1, 1, 0]]), np.array([[1, 0, 0]])
    assert average_precision(half, half_truth) == 1  # IoU >= 0.5
    assert panoptic_quality(half, half_truth).pq == 0  # IoU > 0.5


@pytest.mark.parametrize("empty", [NOTHING, np.full_like(TRUTH, -1), np.zeros((0, 0), int)])
def test_nothing_against_nothing_is_perfect(empty):
    assert symmetric_best_dice(empty, empty) == 1
    assert foreground_dice(empty, empty) == foreground_iou(empty, empty) == 1
    assert average_precision(empty, empty) == f1(empty, empty) == 1
    assert panoptic_quality(empty, empty) == (1, 1, 1)
    assert difference_in_count(empty, empty) == 0


@pytest.mark.parametrize(("prediction", "truth"), [(NOTHING, TRUTH), (TRUTH, NOTHING)])
def test_nothing_against_something_scores_zero(prediction, truth):
    assert best_dice(prediction, truth) == symmetric_best_dice(prediction, truth) == 0
    assert foreground_dice(prediction, truth) == foreground_iou(prediction, truth) == 0
    assert average_precision(prediction, truth) == f1(prediction, truth) == 0
    assert panoptic_quality(prediction, truth) == (0, 0, 0)
    assert abs(difference_in_count(prediction, truth)) == 4


@given(images())
@settings(max_examples=50, deadline=None)
def test_perfect_is_one_and_ids_mean_nothing(truth):
    renumbered = np.array([0, 71, 3, 9, 2000])[truth]
    for prediction in (truth, renumbered):
        assert symmetric_best_dice(prediction, truth) == 1
        assert average_precision(prediction, truth, threshold=0.95) == 1
        assert panoptic_quality(prediction, truth) == (1, 1, 1)


@given(images(low=-1), images(low=-1))
@settings(max_examples=100, deadline=None)
def test_equals_the_oracle(prediction, truth):
    pg, gp, fg, dic = leaf_scores(prediction, truth)
    assert best_dice(prediction, truth) == pytest.approx(pg)
    assert best_dice(truth, prediction) == pytest.approx(gp)
    assert symmetric_best_dice(prediction, truth) == pytest.approx(min(pg, gp))
    assert foreground_dice(prediction, truth) == pytest.approx(fg)
    assert difference_in_count(prediction, truth) == dic
    tp, fp, fn, _ = matched_above_half(prediction, truth, 0.55)
    wanted = tp / (tp + fp + fn) if tp + fp + fn else 1
    assert average_precision(prediction, truth, threshold=0.55) == pytest.approx(wanted)


def test_ignored_pixels_of_the_truth_take_no_part():
    truth = TRUTH.copy()
    truth[3:] = -1  # the bad predictions lie here
    prediction = np.where(PREDICTION == 4, TRUTH, PREDICTION)
    prediction[:2][TRUTH[:2] == 2] = 4
    prediction[1, 2] = 0
    assert symmetric_best_dice(prediction, truth) == 1
    assert difference_in_count(prediction, truth) == 0
    assert foreground_dice(prediction, truth) == 1
    assert panoptic_quality(prediction, truth).pq == 1


def test_volumes_are_scored_as_images_are():
    stack = np.stack([TRUTH, TRUTH]), np.stack([PREDICTION, PREDICTION])
    assert symmetric_best_dice(*stack) == pytest.approx(symmetric_best_dice(TRUTH, PREDICTION))
    assert average_precision(*stack) == average_precision(TRUTH, PREDICTION)


@given(st.integers(1, 4), st.integers(1, 5), st.integers(0, 10**6), st.sampled_from([0.0, 0.3]))
@settings(max_examples=80, deadline=None)
def test_matching_is_the_best_there_is(rows, columns, seed, threshold):
    similarity = np.random.default_rng(seed).random((rows, columns)).round(1)
    r, c = match(similarity, threshold)
    assert len(set(r)) == len(r) and len(set(c)) == len(c)
    values = similarity[r, c]
    assert (values >= threshold).all()
    assert (len(values), values.sum()) == pytest.approx(best_matching(similarity, threshold))


def test_two_pairs_are_better_than_one_good_pair():
    rows, columns = match(np.array([[0.9, 0.3], [0.3, 0.0]]), 0.3)
    assert sorted(zip(rows.tolist(), columns.tolist(), strict=True)) == [(0, 1), (1, 0)]


def test_pooled_counts_add_up():
    a = count_matches(np.array([[0.9, 0.0], [0.0, 0.4]]), 0.5)
    b = count_matches(np.array([[0.7], [0.1]]), 0.5)
    assert a == (1, 1, 1, 0.9) and b == (1, 1, 0, 0.7)
    assert pool([a, b]) == pytest.approx((2, 2, 1, 1.6))


def test_thresholds_that_are_no_iou_above_zero_are_refused():
    for threshold in (0.0, -0.5, 1.01):
        with pytest.raises(ValueError, match=r"threshold must be in \(0, 1\]"):
            average_precision(TRUTH, TRUTH, threshold=threshold)
    assert average_precision(TRUTH, TRUTH, threshold=1.0) == 1


def test_class_iou():
    prediction = np.array([[0, 0, 1, 2], [1, 1, 1, 2]])
    truth = np.array([[0, 0, 0, 2], [1, 1, -1, 1]])
    scores = class_iou(prediction, truth, 4)
    assert scores[:3] == pytest.approx([2 / 3, 2 / 4, 1 / 2])
    assert np.isnan(scores[3])
    with pytest.raises(ValueError, match="class 2 is outside"):
        class_iou(prediction, truth, 2)


@pytest.mark.parametrize("function", [best_dice, foreground_dice, average_precision])
def test_shapes_must_agree(function):
    with pytest.raises(ValueError, match=r"differ in shape: \(6, 8\).*\(6, 7\)"):
        function(TRUTH, TRUTH[:, 1:])
