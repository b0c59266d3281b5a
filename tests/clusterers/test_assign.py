"""Assigning to centres and merging them: integers, lists, weights and shapes that do not fit."""

import numpy as np
import pytest

from clustering import NOISE, absorb_noise, merge_centres, nearest_centre


@pytest.mark.parametrize("kind", [np.uint8, np.int64, np.float16, np.float64, list])
def test_distances_are_those_of_numbers_whatever_holds_them(kind):
    points, centres = [[10, 0], [200, 255]], [[3, 0], [250, 0], [100, 255]]
    if kind is not list:
        points, centres = np.array(points, kind), np.array(centres, kind)
    labels, distances = nearest_centre(points, centres)
    np.testing.assert_array_equal(labels, [0, 2])
    np.testing.assert_array_equal(distances, [7.0, 100.0])
    np.testing.assert_array_equal(absorb_noise(points, [NOISE, NOISE], centres, 50), [0, NOISE])
    np.testing.assert_array_equal(absorb_noise(points, [1, NOISE], centres), [1, 2])


def test_float32_stays_float32():
    points = np.ones((3, 2), np.float32)
    assert nearest_centre(points, points)[1].dtype == np.float32
    assert merge_centres(points, np.ones(3, int), 1.0)[0].dtype == np.float32


@pytest.mark.parametrize("kind", [np.int32, np.uint8, list])
def test_merged_centres_of_integers_are_no_integers(kind):
    centres, counts = [[2, 3], [3, 3], [7, 8]], [1, 1, 1]
    if kind is not list:
        centres, counts = np.array(centres, kind), np.array(counts, kind)
    merged, weights, new = merge_centres(centres, counts, 2.0)
    np.testing.assert_array_equal(merged, [[2.5, 3], [7, 8]])
    np.testing.assert_array_equal(weights, [2, 1])
    assert weights.dtype == np.int64
    np.testing.assert_array_equal(new, [0, 0, 1])


def test_weights_need_not_be_integers():
    centres = np.array([[0.0], [1.0], [9.0]])
    merged, weights, _ = merge_centres(centres, np.array([0.6, 0.2, 0.5]), 2.0)
    np.testing.assert_allclose(merged, [[0.25], [9.0]])
    np.testing.assert_allclose(weights, [0.8, 0.5])
    for nothing in ([0, 0, 0], [0.0, 0.0, 0.0]):
        merged, weights, _ = merge_centres(centres, np.array(nothing), 2.0)
        np.testing.assert_array_equal(merged, [[0.0], [9.0]])


@pytest.mark.parametrize("counts", [[1, 1], [1, -1, 1], [1.0, np.nan, 1.0], [[1, 1, 1]]])
def test_counts_that_are_none_are_refused(counts):
    with pytest.raises(ValueError, match="counts must be a number >= 0 for each of 3 centres"):
        merge_centres(np.zeros((3, 2)), np.array(counts), 1.0)


def test_shapes_that_do_not_fit_are_refused():
    points, centres = np.ones((4, 3)), np.ones((2, 2))
    labels = np.full(4, NOISE)
    fit = r"points \(4, 3\) and centres \(2, 2\) must have as many columns"
    for call in (lambda: nearest_centre(points, centres),
                 lambda: nearest_centre(points[:, :2], np.ones((2, 3))),
                 lambda: absorb_noise(points, labels, centres)):  # fmt: skip
        with pytest.raises(
            ValueError, match=fit.replace("4, 3", "4, [23]").replace("2, 2", "2, .")
        ):
            call()
    with pytest.raises(ValueError, match=r"points must be two-dimensional.* got \(3,\)"):
        nearest_centre(points[0], centres)
    with pytest.raises(ValueError, match=r"labels \(3,\) do not fit 4 points"):
        absorb_noise(points, labels[1:], np.ones((2, 3)))
