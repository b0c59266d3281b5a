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

ROW, REACH = 350, 70  # where lines were read off the pictures by eye, in px of 1280 x 720
PLACES = {"left": 240, "own left": 535, "own right": 790}  # those seen in all 20 frames


@pytest.fixture(scope="module")
def seen(data_root: Path) -> list[Lanes]:
    folder = data_root / "lanes" / "clip"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    finder = LaneFinder(Model.load(shipped()["lanes"]))
    frames = read_frames(open_drive(folder))
    return [frame.lanes for frame in see(finder, frames, track=True)]


@pytest.mark.parametrize("place", PLACES)
def test_a_line_seen_in_all_frames_keeps_one_id(seen: list[Lanes], place: str) -> None:
    assert len(seen) == 20
    ids = []
    for lanes in seen:
        at = np.array([at_rows(lane, [ROW])[0] for lane in lanes.points])
        near = int(np.nanargmin(np.abs(at - PLACES[place])))
        assert abs(at[near] - PLACES[place]) < REACH, (lanes.name, at)
        ids.append(lanes.ids[near])
    assert len(set(ids)) == 1, ids


def test_no_id_is_given_twice_in_a_frame(seen: list[Lanes]) -> None:
    assert all(len(set(lanes.ids)) == len(lanes) for lanes in seen)
