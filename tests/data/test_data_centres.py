"""The map of centres: innermost pixels, hills of the objects' own width, ignored pixels kept."""

import numpy as np

from embedseg.data.centres import centre_map, innermost
from embedseg.labels import IGNORE


def test_the_innermost_pixel_is_farthest_from_the_border():
    rows, columns = np.mgrid[:41, :61]
    disc = np.hypot(rows - 17, columns - 40) < 12
    row, column, radius = innermost(disc)
    assert abs(row - 17) <= 1 and abs(column - 40) <= 1 and abs(radius - 12) < 1
    bent = (np.hypot(rows - 20, columns - 30) < 18) & (np.hypot(rows - 20, columns - 30) > 10)
    row, column, _ = innermost(bent)
    assert bent[row, column]  # the middle of its box is not inside


def test_one_centre_for_each_object_and_none_elsewhere():
    labels = np.zeros((60, 80), np.int32)
    labels[5:25, 5:25], labels[5:25, 25:60] = 3, 8
    labels[40:42, 10], labels[50, 70] = 2, 5
    labels[30:35, 40:45] = labels[50:52, 40:45] = 9  # two pieces, one object
    found = centre_map(labels)
    assert found.dtype == np.float32 and found.max() == 1.0
    assert (found == 1).sum() == 5
    assert sorted(labels[found == 1].tolist()) == [2, 3, 5, 8, 9]
    assert found[58, 5] == 0


def test_a_hill_is_as_wide_as_its_object():
    labels = np.zeros((90, 90), np.int32)
    labels[5:75, 5:75] = 1
    row, column = np.argwhere(centre_map(labels) == 1)[0]
    hill = centre_map(labels)[row]
    r = 35
    np.testing.assert_allclose(hill[column + 14], np.exp(-0.5 * (14 / (0.4 * r)) ** 2), rtol=0.05)
    labels[:] = 0
    labels[40, 40] = 1
    np.testing.assert_allclose(centre_map(labels)[40, 42], np.exp(-0.5 * (2 / 1.5) ** 2), rtol=1e-5)


def test_ignored_pixels_stay_ignored_and_objects_may_touch_the_border():
    labels = np.zeros((20, 20), np.int32)
    labels[:6, :6], labels[10:, 10:] = 1, IGNORE
    before = labels.copy()
    found = centre_map(labels)
    assert (found[10:, 10:] == IGNORE).all() and (found[:6, :6] == 1).sum() == 1
    np.testing.assert_array_equal(labels, before)
    assert (centre_map(np.zeros((5, 5), np.int32)) == 0).all()
