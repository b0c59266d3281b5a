"""The real clip of 20 frames with the model that ships: a lane keeps its id."""

from pathlib import Path

import numpy as np
import pytest

from embedseg.driving.finder import LaneFinder
from embedseg.driving.stream import see
from embedseg.lanes.polylines import Lanes, at_rows
from embedseg.lanes.video import open_drive, read_frames
from embedseg.model import Model
from embedseg.weights import shipped

REACH = 70  # px
PLACES = {  # row and column where lines were read off the pictures by eye, in px of 1280 x 720
    "left": (350, 240),
    "own left": (350, 535),
    "own right": (350, 790),
    "right": (385, 1105),
    "outer right": (320, 1095),
}
BACK = 8  # px that a line may go back, where it is hard to see far off


@pytest.fixture(scope="module")
def seen(data_root: Path) -> list[Lanes]:
    folder = data_root / "lanes" / "clip"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    finder = LaneFinder(Model.load(shipped()["lanes"]))
    frames = read_frames(open_drive(folder))
    return [frame.lanes for frame in see(finder, frames, track=True)]


def at_place(lanes: Lanes, place: str) -> int:
    """Return the index of the lane at a place."""
    row, column = PLACES[place]
    at = np.array([at_rows(lane, [row])[0] for lane in lanes.points])
    near = int(np.nanargmin(np.abs(at - column)))
    assert abs(at[near] - column) < REACH, (lanes.name, at)
    return near


@pytest.mark.parametrize("place", PLACES)
def test_a_line_seen_in_all_frames_keeps_one_id(seen: list[Lanes], place: str) -> None:
    assert len(seen) == 20
    ids = [lanes.ids[at_place(lanes, place)] for lanes in seen]
    assert len(set(ids)) == 1, ids


def test_five_lines_have_five_ids(seen: list[Lanes]) -> None:
    assert all(len({at_place(lanes, place) for place in PLACES}) == 5 for lanes in seen)


def test_other_ids_are_never_at_the_place_of_a_line(seen: list[Lanes]) -> None:
    ours = {seen[0].ids[at_place(seen[0], place)] for place in PLACES}
    for lanes in seen:
        assert ours <= set(lanes.ids)
        for number, lane in zip(lanes.ids, lanes.points, strict=True):
            if number not in ours:
                for row, column in PLACES.values():
                    at = at_rows(lane, [row])[0]
                    assert not abs(at - column) < REACH, (lanes.name, number)


@pytest.mark.parametrize("place", PLACES)
def test_a_line_has_no_hook(seen: list[Lanes], place: str) -> None:
    """On this straight road the lines of the left go left all the way down, others right."""
    for lanes in seen:
        x = lanes.points[at_place(lanes, place)][:, 0] * (-1 if "left" in place else 1)
        assert (np.maximum.accumulate(x) - x).max() < BACK, lanes.name


def test_no_id_is_given_twice_in_a_frame(seen: list[Lanes]) -> None:
    assert all(len(set(lanes.ids)) == len(lanes) for lanes in seen)
