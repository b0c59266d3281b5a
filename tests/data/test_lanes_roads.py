"""Generated roads: seeded, labelled where the paint is, real geometry where there is some."""

import json
from pathlib import Path

import numpy as np
import pytest

from embedseg.data.lanes_specs import LANE_DATASETS
from embedseg.data.road_geometry import generated_road, labelled_road
from embedseg.data.road_ground import draw_ground, paint_lines
from embedseg.data.roads import roads
from embedseg.io import InputError
from embedseg.lanes.polylines import at_rows, lanes_of

SIZE = (128, 256)


def test_a_picture_follows_from_seed_and_number() -> None:
    a, b = roads(3, 5, size=SIZE), roads(2, 5, size=SIZE)
    np.testing.assert_array_equal(a[1].image, b[1].image)
    np.testing.assert_array_equal(a[1].labels, b[1].labels)
    assert a.names[2] == "roads5-00002"
    assert not np.array_equal(a[0].image, roads(1, 6, size=SIZE)[0].image)


def test_generated_pictures_have_lanes_and_life() -> None:
    samples = [roads(12, 1, size=SIZE)[i] for i in range(12)]
    counts = [len(s.lanes) for s in samples]
    assert min(counts) >= 2 and max(counts) >= 4
    for sample in samples:
        assert sample.image.shape == (*SIZE, 3) and sample.labels.shape == SIZE
        assert sample.image.std() > 15
        assert set(np.unique(sample.labels)) - {0} <= set(sample.lanes.ids)


def test_paint_lies_on_the_lanes() -> None:
    """Where paint was added, a lane is near; where a solid line is, paint is."""
    for seed in range(6):
        rng = np.random.default_rng(seed)
        road = generated_road(SIZE, rng)
        before = draw_ground(road, np.random.default_rng(0))
        after = before.copy()
        paint_lines(after, road, rng)
        rows, columns = np.nonzero(np.abs(after - before).max(axis=2) > 0.1)
        rows = rows + road.top
        x = np.array([at_rows(lane, rows) for lane in road.lanes.points])
        reach = 0.35 * road.scale[rows] + 1.5
        off = np.nanmin(np.abs(x - columns), axis=0)
        assert len(rows) > 20 and (off < reach).mean() > 0.97


@pytest.mark.parametrize("seed", range(5))
def test_ground_is_that_of_a_camera(seed: int) -> None:
    road = generated_road(SIZE, np.random.default_rng(seed))
    below = slice(road.top, None)
    assert (np.diff(road.distance[below]) <= 0).all() and (np.diff(road.scale[below]) >= 0).all()
    x, y = road.at(0.0, 0.0, float(road.distance[100]))
    assert y == pytest.approx(100, abs=0.01) and x == pytest.approx(road.reference[100], abs=0.01)
    up = road.at(0.0, 1.0, float(road.distance[100]))
    assert up[1] == pytest.approx(100 - road.upright[100], abs=0.01)


def test_camera_of_label_lines_is_found() -> None:
    y = np.arange(250.0, 720, 10)
    lanes = lanes_of(
        [np.c_[640 + o * 2.2 * (y - 230), y] for o in (-1.5, -0.5, 0.5, 1.5)], (720, 1280)
    )
    road = labelled_road(lanes, (720, 1280), np.random.default_rng(0))
    gaps = np.diff(road.offsets)
    np.testing.assert_allclose(gaps, 3.6, rtol=0.02)
    x = [lane[-1, 0] for lane in road.lanes.points]
    assert x == sorted(x) and len(road.lanes) == 4


def label_file(path: Path) -> Path:
    rows = list(range(240, 720, 10))
    lanes = [[300 + y // 3 for y in rows], [700 - y // 3 for y in rows]]
    line = {"raw_file": "clips/real", "lanes": lanes, "h_samples": rows}
    path.write_text(json.dumps(line))
    return path


def test_label_lines_give_the_geometry(tmp_path: Path) -> None:
    path = label_file(tmp_path / "labels.json")
    data = LANE_DATASETS["roads"](f"20,seed=2,size=256x128,lines={path}")
    real = [s.lanes.name == "clips/real" for s in (data[i] for i in range(20))]
    assert 8 <= sum(real) <= 19
    assert LANE_DATASETS["roads"](f"2,lines={tmp_path},size=64x32")[0].labels.shape == (32, 64)


def test_labels_with_one_lane_or_one_point_still_give_a_picture() -> None:
    for points in ([[(600, 400)]], [[(600, 300), (500, 719)]], []):
        road = labelled_road(lanes_of(points, (720, 1280)), SIZE, np.random.default_rng(1))
        assert np.isfinite(road.reference).all() and (road.scale >= 0).all()


def test_bad_requests_are_named(tmp_path: Path) -> None:
    for where, words in (("x", "how many pictures"), ("3,size=own", "no size of their own")):
        with pytest.raises(ValueError, match=words):
            LANE_DATASETS["roads"](where)
    with pytest.raises(ValueError, match="count must be >= 1"):
        roads(0)
    with pytest.raises(ValueError, match="size must be >= 32"):
        roads(1, size=(16, 64))
    for width in (0, -3, np.nan, np.inf):
        with pytest.raises(ValueError, match=f"width must be > 0 pixels and finite, got {width}"):
            roads(1, width=width)
    for name in ("roads", "tusimple"):
        for width in ("nan", "-inf"):
            with pytest.raises(ValueError, match=f"width={width} in .*must be a finite number"):
                LANE_DATASETS[name](f"3,width={width}")
    with pytest.raises(InputError, match="no such file"):
        roads(1, lines=tmp_path / "none.json")
