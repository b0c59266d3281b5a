"""Reading and writing lanes: the formats, round trips, and files gone wrong."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from embedseg.io import InputError
from embedseg.lanes.culane import read_culane, read_culane_set, read_list
from embedseg.lanes.json_files import read_polylines
from embedseg.lanes.polylines import Lanes, lanes_of
from embedseg.lanes.tusimple import default_rows, read_records, read_tusimple, to_record
from embedseg.lanes.writers import write_lanes
from embedseg.metrics.lanes import tusimple_score

ROWS = [160, 170, 180, 190]


def put(path: Path, *lines: object) -> Path:
    path.write_text("".join((x if isinstance(x, str) else json.dumps(x)) + "\n" for x in lines))
    return path


def frame(lanes: list, rows: list = ROWS, name: str = "clips/1/20.jpg") -> dict:
    return {"raw_file": name, "lanes": lanes, "h_samples": rows}


def points(lanes: Lanes) -> list:
    return [lane.tolist() for lane in lanes.points]


def test_tusimple_lines_become_points(tmp_path: Path) -> None:
    path = put(tmp_path / "l.json", frame([[-2, 0, 6.5, -2], [-2, -2, -2, 9], [-2] * 4]), "")
    (lanes,) = read_tusimple(path)
    assert points(lanes) == [[[0, 170], [6.5, 180]], [[9, 190]]]
    assert lanes.name == "clips/1/20.jpg" and lanes.size == (720, 1280)


def test_tusimple_rows_may_come_in_any_order(tmp_path: Path) -> None:
    path = put(tmp_path / "l.json", frame([[9, 5, 6, 7]], [190, 160, 180, 160]))
    assert points(read_tusimple(path)[0]) == [[[5, 160], [7, 160], [6, 180], [9, 190]]]


def test_default_rows_are_those_of_the_benchmark() -> None:
    assert default_rows((720, 1280)) == list(range(160, 720, 10))


def test_all_label_lines_survive_reading_and_writing(data_root: Path, tmp_path: Path) -> None:
    source = data_root / "lanes" / "tusimple_labels" / "label_data_0531.json"
    if not source.is_file():
        pytest.skip(f"no {source}")
    records, lanes = read_records(source)[::5], read_tusimple(source)[::5]
    # a lane of the labels may have a gap; written again it is closed by a straight line
    written = [to_record(f, r["h_samples"]) for f, r in zip(lanes, records, strict=True)]
    assert tusimple_score(written, records) == pytest.approx((1, 0, 0), abs=2e-3)
    (out,) = write_lanes(lanes, tmp_path / "p.json", "tusimple", run_times={lanes[0].name: 4.0})
    again = read_records(out)
    assert [r["raw_file"] for r in again] == [r["raw_file"] for r in records]
    assert again[0]["run_time"] == 4 and again[1]["run_time"] == 0


def test_written_lane_is_absent_outside_its_extent_and_left_of_the_image() -> None:
    lanes = lanes_of([[(-5, 160), (15, 180)]], (720, 1280), "a")
    assert to_record(lanes, [150, 160, 165, 170, 180, 190])["lanes"] == [[-2, -2, 0, 5, 15, -2]]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([frame([[1, 2]])], "frame 1: lane 0 has 2 positions for 4 h_samples"),
        ([frame([[1, 2, 3, 4]]), "{oops"], "line 2: not JSON"),
        ([[1, 2]], "not a JSON object with raw_file"),
        ([{"raw_file": "a", "lanes": []}], "lacks lanes or h_samples"),
        ([frame([["x", 1, 2, 3]])], "frame 1: could not convert"),
        ([frame([7])], "frame 1: lane 0 is 7"),
        ([frame([[1, {}, 3, 4]])], "frame 1: float"),
        ([], "holds no frame"),
    ],
)
def test_broken_tusimple_files_are_named(tmp_path: Path, content: list, words: str) -> None:
    path = put(tmp_path / "l.json", *content)
    with pytest.raises(InputError, match=words) as error:
        read_tusimple(path)
    assert str(path) in str(error.value)


def test_missing_files_are_named(tmp_path: Path) -> None:
    for read in (read_tusimple, read_culane, read_polylines, read_list):
        with pytest.raises(InputError, match="no such"):
            read(tmp_path / "nothing")


def test_culane_text_round_trip(tmp_path: Path) -> None:
    path = put(tmp_path / "a.lines.txt", "-20.5 580 19 570.25", "7 8", "", "1 2 3 4 5 6 ")
    lanes = read_culane(path, (590, 1640), "/drive/a.jpg")
    assert points(lanes) == [[[-20.5, 580], [19, 570.25]], [[7, 8]], [[1, 2], [3, 4], [5, 6]]]
    (out,) = write_lanes([lanes], tmp_path / "out", "culane")
    assert out == tmp_path / "out" / "drive" / "a.lines.txt"
    assert points(read_culane(out)) == points(lanes)
    with pytest.raises(InputError, match="cannot be a path below"):
        write_lanes([lanes_of([], None, "../a.jpg")], tmp_path / "out", "culane")


def test_culane_set_by_list_file(tmp_path: Path) -> None:
    names = read_list(put(tmp_path / "list.txt", "/a.jpg /seg/a.png 1 1 0 0", "/b.jpg", ""))
    assert names == ["/a.jpg", "/b.jpg"]
    put(tmp_path / "a.lines.txt", "1 2 3 4")
    found = read_culane_set(tmp_path, names, missing_is_empty=True)
    assert {name: len(lanes) for name, lanes in found.items()} == {"/a.jpg": 1, "/b.jpg": 0}
    with pytest.raises(InputError, match=r"b\.lines\.txt: no such file"):
        read_culane_set(tmp_path, names)


def test_files_of_windows_editors_begin_with_a_mark(tmp_path: Path) -> None:
    path = tmp_path / "a.lines.txt"
    path.write_text("1 2 3 4\n", encoding="utf-8-sig")
    assert points(read_culane(path)) == [[[1, 2], [3, 4]]]
    path.write_text("a.jpg\nb.jpg\n", encoding="utf-8-sig")
    assert read_list(path) == ["a.jpg", "b.jpg"]


@pytest.mark.parametrize(
    ("line", "words"), [("1 2 3", "x without a y"), ("1 b", "line 2"), ("1 nan", "not finite")]
)
def test_broken_culane_files_are_named(tmp_path: Path, line: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_culane(put(tmp_path / "a.lines.txt", "1 2", line))


TWO = [[[1.5, 2], [3, 4]], [[5, 6]]]
XY = [[{"x": str(x), "y": str(y)} for x, y in lane] for lane in TWO]
MARKERS = {"markers": [{"pixel_start": {"x": 1, "y": 2}, "pixel_end": {"x": 3, "y": 4}}] * 2}


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ({"Lines": XY}, TWO),
        ({"name": "p", "size": [720, 1280], "lanes": TWO}, TWO),
        ({"image_name": "p", "lanes": [MARKERS]}, [[[1, 2], [3, 4], [1, 2], [3, 4]]]),
        ({"imagePath": "p", "imageHeight": 720, "imageWidth": 1280,
          "shapes": [{"label": "lane", "points": p} for p in TWO]}, TWO),
        ({"lanes": []}, []),
    ],
)  # fmt: skip
def test_json_forms(tmp_path: Path, item: dict, expected: list) -> None:
    (lanes,) = read_polylines(put(tmp_path / "q.json", item), (720, 1280))
    assert points(lanes) == expected and lanes.size == (720, 1280)
    assert lanes.name == ("p" if len(item) > 1 else "q")


def test_json_list_and_lines_and_own_writer(tmp_path: Path) -> None:
    frames = [lanes_of(TWO, (9, 9), "a"), lanes_of([], (9, 9), "b")]
    (lines,) = write_lanes(frames, tmp_path / "x.json", "json")
    together = put(tmp_path / "y.json", [json.loads(x) for x in lines.read_text().splitlines()])
    for path in (lines, together):
        assert [(f.name, points(f), f.size) for f in read_polylines(path)] == [
            ("a", TWO, (9, 9)),
            ("b", [], (9, 9)),
        ]


def test_json_keeps_ids_and_times_of_a_drive(tmp_path: Path) -> None:
    drive = [replace(lanes_of(TWO, (9, 9), "a"), ids=(7, 3), time=0.05),
             replace(lanes_of([], (9, 9), "b"), time=0.1)]  # fmt: skip
    (file,) = write_lanes(drive, tmp_path / "x.json", "json")
    assert [(f.ids, f.time) for f in read_polylines(file)] == [((7, 3), 0.05), ((), 0.1)]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (["{"], "not JSON"),
        ([{"lanes": [[[1, 2]]], "ids": [1, 2], "time": 0}], "2 ids for 1 lanes"),
        ([7], "found int"),
        ([{"a": 1}], "no lanes; expected one of"),
        ([{"lanes": [[[1, 2, 3]]]}], "picture 1"),
        ([{"lanes": [{"x": 1}]}], "picture 1"),
        ([{"lanes": [], "size": [720]}], "picture 1"),
        ([{"lanes": [], "size": [0, 1280]}], r"size \[0, 1280\]; it must be"),
    ],
)
def test_broken_json_is_named(tmp_path: Path, content: list, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_polylines(put(tmp_path / "q.json", *content))


def test_geojson_and_csv(tmp_path: Path) -> None:
    frame = Lanes((np.array([[1.234, 2], [3, 4]]), np.array([[5.0, 6]])), (9, 9), "a", (4, 2), 0.5)
    (out,) = write_lanes([frame], tmp_path / "l.geojson", "geojson")
    features = json.loads(out.read_text())["features"]
    assert [f["geometry"] for f in features] == [
        {"type": "LineString", "coordinates": [[1.23, 2], [3, 4]]},
        {"type": "Point", "coordinates": [5, 6]},
    ]
    assert features[0]["properties"] == {"image": "a", "lane": 4, "time": 0.5}
    (out,) = write_lanes([frame], tmp_path / "l.csv", "csv")
    rows = list(csv.DictReader(out.open()))
    assert rows[2] == {
        "image": "a",
        "time": "0.5",
        "lane": "2",
        "point": "0",
        "x": "5.0",
        "y": "6.0",
    }
    assert len(rows) == 3


def test_unknown_format_and_foreign_options(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="did you mean 'culane'"):
        write_lanes([], tmp_path / "x", "cullane")
    with pytest.raises(ValueError, match="belong to format 'tusimple'"):
        write_lanes([], tmp_path / "x", "csv", h_samples=[1])
