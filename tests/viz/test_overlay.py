"""Overlay: tints, outlines, numbers, ignored pixels; nothing written into its arguments."""

import time

import numpy as np
import pytest

from embedseg.viz import overlay, palette
from embedseg.viz.overlay import anchors, boundaries

from .scenes import discs, photo


def test_tint_is_the_weighted_mean_and_background_stays():
    image = np.full((20, 20, 3), 100, np.uint8)
    labels = np.zeros((20, 20), np.int32)
    labels[5:15, 5:15] = 3
    picture = overlay(image, labels, alpha=0.5)
    expected = 0.5 * 100 + 0.5 * palette()[2].astype(float)
    np.testing.assert_allclose(picture[10, 10], expected, atol=0.5)
    assert (picture[0, 0] == 100).all()
    assert (picture[5, 5] == palette()[2]).all()  # outline in full colour
    assert (image == 100).all() and labels.max() == 3


def test_without_outlines_the_rim_is_tinted_only():
    labels = np.pad(np.ones((4, 4), np.int32), 3)
    picture = overlay(np.zeros((10, 10, 3), np.uint8), labels, outlines=False)
    assert (picture[3, 3] == picture[5, 5]).all()


def test_boundaries_of_two_touching_instances():
    labels = np.array([[1, 1, 2, 2, 2, 0]])
    assert boundaries(labels).tolist() == [[False, True, True, False, True, False]]


def test_number_stands_inside_a_crescent():
    labels = np.zeros((60, 60), np.int32)
    y, x = np.mgrid[:60, :60]
    labels[((y - 30) ** 2 + (x - 30) ** 2 < 28**2) & ((y - 30) ** 2 + (x - 44) ** 2 > 26**2)] = 9
    centre_x, centre_y, _ = anchors(labels)[9]
    assert labels[int(centre_y), int(centre_x)] == 9
    assert labels[30, 44] == 0  # the centroid of such a shape may lie outside
    drawn = overlay(photo(labels), labels, ids=True)
    plain = overlay(photo(labels), labels)
    changed = np.argwhere((drawn != plain).any(-1))
    assert len(changed) and abs(changed.mean(0) - [centre_y, centre_x]).max() < 3


def test_ignored_pixels_are_hatched_not_tinted():
    labels = np.full((16, 16), -1)
    picture = overlay(np.zeros((16, 16), np.uint8), labels)
    assert set(np.unique(picture)) == {0, 128}


@pytest.mark.parametrize("count", [0, 1, 300])
def test_any_number_of_instances(count):
    labels = discs(count, 128)
    assert overlay(photo(labels), labels, ids=True).shape == (128, 128, 3)


def test_gappy_and_wide_ids():
    labels = np.array([[0, 5, 70000], [0, 5, 2_000_000_000]])
    assert overlay(np.zeros((2, 3, 3), np.uint8), labels).shape == (2, 3, 3)


def test_ids_too_wide_apart_for_a_table_keep_their_colours():
    image = photo(np.zeros((12, 12), int))
    labels = np.zeros((12, 12), np.int64)
    labels[2:5, 2:9], labels[7:10, 2:9], labels[11, 11] = 4, 4 + 320 * 10**6, -1  # equal colours
    near = np.where(labels > 4, 4 + 320, labels)
    assert np.array_equal(overlay(image, labels), overlay(image, near))
    assert (overlay(image, labels)[2, 2] == palette()[3]).all()


def test_wrong_arguments_name_the_remedy():
    good = np.zeros((4, 4, 3), np.uint8)
    with pytest.raises(ValueError, match="scale it"):
        overlay(good.astype(float), np.zeros((4, 4), int))
    with pytest.raises(ValueError, match="nearest neighbours"):
        overlay(good, np.zeros((2, 2), int))
    with pytest.raises(ValueError, match=r"alpha must be in .* got 3"):
        overlay(good, np.zeros((4, 4), int), alpha=3)


def test_a_plant_takes_less_than_30_ms():
    labels = discs(16, 500)
    image = photo(labels)
    overlay(image, labels)
    best = min(_seconds(image, labels) for _ in range(10))
    assert best < 0.03 * 3  # thrice the aim, for busy machines


def _seconds(image, labels):
    start = time.perf_counter()
    overlay(image, labels)
    return time.perf_counter() - start
