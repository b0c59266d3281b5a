"""Prediction against truth: each kind of error by hand."""

import numpy as np

from embedseg.viz import compare, judge
from embedseg.viz.compare import COLORS, key_strip

from .scenes import photo


def blocks(*widths):
    """One row of labels 1, 2, ... of the given widths, ten pixels high."""
    return np.repeat(np.repeat(np.arange(1, len(widths) + 1), widths)[None], 10, axis=0)


def test_perfect_and_renumbered():
    truth = blocks(10, 20, 30)
    verdict, of_pred, of_true = judge(truth * 7, truth)
    assert verdict == ([1, 2, 3], [], [], [], [])
    assert of_pred == {7: "matched", 14: "matched", 21: "matched"}
    assert set(of_true.values()) == {"matched"}


def test_each_kind():
    truth = blocks(10, 20, 30, 8, 12)
    prediction = truth.copy()
    prediction[truth == 2] = 1  # 1 and 2 merged
    prediction[:, 30:42][truth[:, 30:42] == 3] = 33  # 3 split in 12 + 18
    prediction[truth == 4] = 0  # 4 missed
    prediction = np.hstack([prediction, np.full((10, 5), 50)])
    truth = np.hstack([truth, np.zeros((10, 5), int)])
    verdict, of_pred, of_true = judge(prediction, truth)
    assert verdict.matched == [5] and verdict.split == [3] and verdict.merged == [1]
    assert verdict.missed == [4] and verdict.spurious == [50]
    assert of_pred == {1: "merged", 3: "split", 5: "matched", 33: "split", 50: "spurious"}
    assert of_true == {1: "merged", 2: "merged", 3: "split", 4: "missed", 5: "matched"}


def test_half_is_not_most():
    truth = blocks(20, 20)
    prediction = np.zeros_like(truth)
    prediction[:, 10:30] = 1  # exactly half of either: neither merged nor matched
    assert judge(prediction, truth)[0] == ([], [], [], [1, 2], [1])


def test_ignored_pixels_take_no_part():
    truth = blocks(10, 10)
    prediction = truth.copy()
    truth[:, 10:] = -1
    assert judge(prediction, truth)[0].matched == [1]
    assert judge(prediction, truth)[0].spurious in ([], [2])


def test_nothing_against_something():
    truth, nothing = blocks(10, 10), np.zeros((10, 20), int)
    assert judge(nothing, truth)[0].missed == [1, 2]
    assert judge(truth, nothing)[0].spurious == [1, 2]
    assert judge(nothing, nothing)[0] == ([], [], [], [], [])


def test_picture_carries_the_colours_and_the_key():
    truth = np.zeros((40, 60), int)
    truth[5:35, 5:25] = 1
    truth[5:35, 30:50] = 2
    prediction = np.where(truth == 1, 4, 0)
    picture = compare(photo(truth), prediction, truth)
    green, orange = picture[20, 15].astype(int), picture[20, 40].astype(int)
    assert np.argmin([np.abs(green - c).sum() for c in COLORS.values()]) == 0
    assert np.argmin([np.abs(orange - c).sum() for c in COLORS.values()]) == 3
    assert (picture[5, 5] == 255).all()
    assert len(compare(photo(truth), prediction, truth, key=True)) > 40


def test_key_fits_a_narrow_strip():
    verdict = judge(blocks(3, 3), blocks(3, 3))[0]
    full = verdict._replace(split=[1], merged=[2], missed=[3], spurious=[4])
    strip = key_strip(full, 320)
    assert strip.shape[1] == 320
    for color in COLORS.values():
        assert (strip == color).all(-1).any()
