"""Moving, clipping and reading polylines."""

import numpy as np
import pytest

from embedseg._cv2 import cv2
from embedseg.lanes.polylines import (
    Lanes,
    at_rows,
    clipped,
    lanes_of,
    moved,
    resize_matrix,
    resized,
    transform,
)


def test_lanes_of_keeps_one_point_and_drops_none_at_all() -> None:
    lanes = lanes_of([[(1, 2)], [], [(0, 0), (5, 5)]], (10, 20), "a")
    assert [len(lane) for lane in lanes.points] == [1, 2]
    assert lanes.ids == (1, 2) and lanes.size == (10, 20) and len(lanes) == 2


@pytest.mark.parametrize("bad", [[[1, 2, 3]], [[np.nan, 1]], [[np.inf, 1], [1, 1]]])
def test_what_is_no_polyline_is_refused(bad: list) -> None:
    with pytest.raises(ValueError, match="lane 1"):
        lanes_of([[(0, 0)], bad])


def test_lanes_checks_its_arrays_and_ids() -> None:
    with pytest.raises(ValueError, match="float64"):
        Lanes((np.zeros((2, 2), np.int64),))
    with pytest.raises(ValueError, match="2 ids were given for 1 lanes"):
        Lanes((np.zeros((2, 2)),), ids=(1, 2))


def test_resizing_moves_points_with_the_pixels() -> None:
    image = np.zeros((40, 60), np.float32)
    image[20:24, 30:36] = 1  # centre of mass (32.5, 21.5)
    small = cv2.resize(image, (30, 10), interpolation=cv2.INTER_AREA)
    y, x = np.indices(small.shape)
    centre = [(small * x).sum() / small.sum(), (small * y).sum() / small.sum()]
    lanes = resized(lanes_of([[(32.5, 21.5)]], (40, 60)), (10, 30))
    assert lanes.points[0][0].tolist() == pytest.approx(centre) and lanes.size == (10, 30)
    back = resized(lanes, (40, 60))
    assert back.points[0][0].tolist() == pytest.approx([32.5, 21.5])


def test_projective_matrix_leaves_out_what_lies_behind() -> None:
    matrix = np.array([[1.0, 0, 0], [0, 1, 0], [0, 0.1, -1]])  # w = y / 10 - 1
    lane = np.array([[4.0, 30], [4, 20], [4, 10], [4, 0]])
    np.testing.assert_allclose(transform(lane, matrix), [[2, 15], [4, 20]])
    both = moved(lanes_of([lane[2:], lane]), matrix, (5, 5))
    assert both.ids == (2,) and len(both) == 1
    with pytest.raises(ValueError, match=r"\(2, 3\) or \(3, 3\)"):
        transform(lane, np.eye(2))


def test_clipping_cuts_the_ends_at_the_border_only() -> None:
    lane = np.array([[-10.5, 5], [9.5, 5], [9.5, 30], [9.5, 5], [29.5, 5]])
    out = clipped(lanes_of([lane, [[-5, 5], [-5, 8]], [[3, 3]], [[-3, 3]]], (10, 20)))
    np.testing.assert_allclose(out.points[0], [[-0.5, 5], [9.5, 5], [9.5, 30], [9.5, 5], [19.5, 5]])
    assert out.ids == (1, 3) and out.points[1].tolist() == [[3, 3]]


def test_clipping_cuts_a_segment_that_crosses_the_whole_picture() -> None:
    out = clipped(lanes_of([[(-10, -10), (50, 50)]], (20, 20)))
    np.testing.assert_allclose(out.points[0], [[-0.5, -0.5], [19.5, 19.5]])


def test_size_must_be_known_to_resize_or_clip() -> None:
    lanes = lanes_of([[(0, 0)]], None, "a.jpg")
    for call in (lambda: resized(lanes, (3, 3)), lambda: clipped(lanes)):
        with pytest.raises(ValueError, match=r"'a\.jpg' is not known"):
            call()


def test_rows_may_be_unsorted_or_repeated() -> None:
    lane = np.array([[10.0, 30], [0, 10], [4, 20], [8, 20]])
    got = at_rows(lane, [0, 10, 15, 20, 25, 30, 31])
    np.testing.assert_allclose(got, [np.nan, 0, 3, 6, 8, 10, np.nan])
    np.testing.assert_allclose(at_rows(lane[:1], [29, 30]), [np.nan, 10])


def test_resize_matrix_of_the_same_size_is_the_identity() -> None:
    np.testing.assert_array_equal(resize_matrix((7, 9), (7, 9)), np.eye(3)[:2])
