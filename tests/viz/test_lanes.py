"""Curves over a road: where they lie, how wide they are, what lies outside of the picture."""

import numpy as np
import pytest

from embedseg.viz import lane_overlay
from embedseg.viz.colors import instance_colors

GREY = 90


def drawn(size: tuple[int, int], *curves: list[tuple[float, float]]) -> np.ndarray:
    """Return which pixels (H, W) curves change."""
    image = np.full((*size, 3), GREY, np.uint8)
    picture = lane_overlay(image, [np.array(curve, float) for curve in curves])
    assert (image == GREY).all()
    return np.asarray((picture != GREY).any(axis=2))


@pytest.mark.parametrize(("wide", "line"), [(100, 7), (1280, 11), (3840, 21)])
def test_a_line_is_a_share_of_the_width(wide: int, line: int) -> None:
    row = np.flatnonzero(drawn((200, wide), [(50, 0), (50, 199)])[20])
    assert len(row) == line and row.mean() == 50


@pytest.mark.parametrize("length", [1e3, 1e5, 1e6])
def test_a_curve_keeps_its_way_however_far_it_goes(length: float) -> None:
    changed = drawn((100, 200), [(20, 50), (20 + length, 50 + length / 10)])
    column = np.flatnonzero(changed[:80, 120])
    assert abs(column.mean() - 60) < 1


def test_a_curve_in_a_very_wide_picture_lies_where_it_is() -> None:
    columns = np.flatnonzero(drawn((60, 40_000), [(39_000, 0), (39_000, 59)])[5])
    assert columns.min() > 38_900 and 39_000 in columns  # its number lies to the right of it


def test_what_lies_outside_is_not_drawn_nor_numbered() -> None:
    for way in ([(500, 10), (500, 90)], [(50, 300), (60, 400)], [(-40, 10), (-40, 90)]):
        assert not drawn((100, 200), way).any()
    assert drawn((100, 200), [(100, -50), (100, 150)])[80:, 103:115].any()  # its number


def test_ids_say_the_colours() -> None:
    image = np.full((100, 200, 3), GREY, np.uint8)
    curve = np.array([(50.0, 0.0), (50.0, 99.0)])
    for number in (1, 7, 300):
        picture = lane_overlay(image, [curve], [number])
        assert (picture[10, 50] == instance_colors(np.array([number]))[0]).all()
    with pytest.raises(ValueError, match="2 ids were given for 1 curves"):
        lane_overlay(image, [curve], [1, 2])
