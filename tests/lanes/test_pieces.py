"""Instances that are two lanes, or a lane with bits of something else."""

import numpy as np

from embedseg.lanes.curves import fit_lanes
from embedseg.lanes.masks import draw_lanes
from embedseg.lanes.pieces import split_lanes, split_runs
from embedseg.lanes.polylines import lanes_of
from embedseg.lanes.runs import find_runs

SIZE = (256, 512)


def stroke(*points: tuple[float, float]) -> np.ndarray:
    """Where a stroke 5 wide through points (x, y) lies."""
    return np.asarray(draw_lanes(lanes_of([np.array(points, float)], SIZE), width=5.0) > 0)


LINE = stroke((200, 90), (100, 240))
OUTER, INNER = stroke((340, 90), (505, 125)), stroke((380, 122), (505, 160))


def test_two_lanes_under_one_number_become_two() -> None:
    labels = 3 * (OUTER | INNER).astype(np.int32) + 7 * LINE
    before = labels.copy()
    split, origin = split_lanes(labels)
    np.testing.assert_array_equal(labels, before)
    assert origin.tolist() == [*range(8), 3]
    for mask, number in ((OUTER, 3), (INNER, 8), (LINE, 7)):
        assert (split[mask] == number).all()
    assert ((split > 0) == (labels > 0)).all()


def test_a_lane_cut_by_a_car_stays_one() -> None:
    for gap in ((120, 150), (100, 200)):
        labels = LINE.astype(np.int32)
        labels[gap[0] : gap[1]] = 0
        split, origin = split_lanes(labels)
        assert split is labels and origin.tolist() == [0, 1]
    bent = stroke(*((250 + 0.01 * (y - 90) ** 2, y) for y in range(90, 250, 5)))
    labels = bent.astype(np.int32)
    labels[140:175] = 0
    assert split_lanes(labels)[0].max() == 1


def test_what_is_too_small_for_a_lane_is_left_out() -> None:
    labels = (OUTER | INNER).astype(np.int32)
    split, origin = split_lanes(labels, min_pixels=int(INNER.sum()) + 1)
    assert origin.tolist() == [0, 1]
    assert (split[OUTER] == 1).all() and not split[INNER].any()
    short = stroke((380, 122), (420, 135))  # 0.25 of the outer line's pixels
    split, _ = split_lanes((OUTER | short).astype(np.int32))
    assert (split[OUTER] == 1).all() and not split[short].any()


def test_bits_stay_but_for_those_beyond_an_end_and_off_the_way() -> None:
    for place, stays in (
        ((150, 300), True),  # beside it: a robust fit weighs it
        ((78, 204), True),  # just above its end, on its way
        ((78, 300), False),  # above its end, off its way
        ((50, 226), True),  # far above, on its way
        ((70, 150), False),
    ):
        bit = np.zeros(SIZE, bool)
        bit[place[0] : place[0] + 4, place[1] : place[1] + 5] = True
        split, _ = split_lanes((LINE | bit).astype(np.int32))
        assert (split[LINE] == 1).all()
        assert (split[bit] == int(stays)).all(), place


def test_one_piece_flat_and_empty_are_left_as_they_are() -> None:
    level = np.zeros(SIZE, np.int32)
    level[100:103, 20:200] = level[108:110, 300:500] = 1
    for labels in (np.zeros(SIZE, np.int32), 5 * INNER.astype(np.int32), level):
        split, origin = split_lanes(labels)
        assert split is labels
        assert origin.tolist() == list(range(labels.max() + 1))


def test_three_lanes_under_one_number() -> None:
    third = stroke((40, 200), (300, 250))
    split, origin = split_lanes((OUTER | INNER | third).astype(np.int32))
    assert origin.tolist() == [0, 1, 1, 1]
    numbers = [set(split[mask].tolist()) for mask in (OUTER, INNER, third)]
    assert sorted(len(n) for n in numbers) == [1, 1, 1] and len(set.union(*numbers)) == 3


def test_curves_of_split_runs_are_those_of_split_labels() -> None:
    level = stroke((160, 230), (490, 233))
    labels = 2 * (OUTER | INNER | level).astype(np.int32) + 5 * LINE
    split, origin = split_lanes(labels)
    runs, same = split_runs(find_runs(labels), labels.size)
    assert origin.tolist() == same.tolist() == [0, 1, 2, 3, 4, 5, 2, 2]
    a, b = fit_lanes(split, merge=False), fit_lanes(labels, runs=runs, merge=False)
    assert a.ids == b.ids == (2, 5, 6, 7)
    for p, q in zip(a.points, b.points, strict=True):
        np.testing.assert_array_equal(p, q)
    for part, mask in ((0, level), (2, OUTER), (3, INNER)):
        columns = np.flatnonzero(mask.any(axis=0))
        assert np.ptp(a.points[part][:, 0]) > 0.9 * np.ptp(columns)
