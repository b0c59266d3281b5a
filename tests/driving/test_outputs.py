"""Frames to files: formats, streams, videos; what fails is named and the rest goes on."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from embedseg.driving import stream
from embedseg.driving.finder import LaneFinder
from embedseg.driving.outputs import list_pictures, predict_drive, predict_lanes
from embedseg.driving.stream import core_to_spare, grouped, see
from embedseg.io import InputError
from embedseg.lanes.culane import read_culane
from embedseg.lanes.tusimple import read_records, to_record
from embedseg.lanes.video import Frame, open_drive, read_frames
from embedseg.metrics.lanes import tusimple_score
from tests.driving.painted import BIG, PaintedModel, drive, road, three


def finder(**spec: object) -> LaneFinder:
    return LaneFinder(PaintedModel(**spec))  # type: ignore[arg-type]


def frames(count: int) -> list[Frame]:
    return [Frame(road(three(5.0 * i)), f"{i}.png", i / 10) for i in range(count)]


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    for index, name in enumerate(("b/2.png", "b/10.png", "a/1.png")):
        path = tmp_path / "clips" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(road(three(6.0 * index))).save(path)
    return tmp_path / "clips"


def test_a_core_is_to_spare_where_the_network_takes_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream.os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    for threads, spare in ((1, True), (2, False), (3, False)):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        assert core_to_spare(None) is core_to_spare(torch.device("cpu")) is spare
        assert core_to_spare(torch.device("cuda")) is True
    monkeypatch.delattr(stream.os, "sched_getaffinity")
    monkeypatch.setattr(stream.os, "cpu_count", lambda: 8)
    assert core_to_spare(None) is True


@pytest.mark.parametrize("beside", [False, True])
def test_stream_keeps_order_and_ids_whatever_the_batch(
    beside: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "core_to_spare", lambda _: beside)
    lanes = finder()
    single = list(see(lanes, frames(7), track=True))
    grouped = list(see(lanes, frames(7), track=True, batch=3))
    assert lanes.model.batches == [1] * 7 + [3, 3, 1]  # type: ignore[attr-defined]
    for a, b in zip(single, grouped, strict=True):
        assert a.lanes.ids == b.lanes.ids == (1, 2, 3) and a.lanes.name == b.lanes.name
        np.testing.assert_allclose(np.concatenate(a.lanes.points), np.concatenate(b.lanes.points))
    assert [s.lanes.time for s in single] == pytest.approx([i / 10 for i in range(7)])
    assert all(s.drawn is None and s.run_time > 0 for s in single)


def test_pictures_of_two_sizes_are_not_put_into_one_batch() -> None:
    small = [Frame(f.image[::2, ::2], f.name, f.time) for f in frames(2)]
    lanes = finder()
    seen = list(see(lanes, [*frames(2), *small], batch=4))
    assert lanes.model.batches == [2, 2]  # type: ignore[attr-defined]
    assert [s.lanes.size for s in seen] == [BIG, BIG, (180, 320), (180, 320)]
    with pytest.raises(ValueError, match="batch must be >= 1"):
        list(see(lanes, frames(1), batch=0))


def test_pictures_of_a_folder_at_any_depth(clips: Path, tmp_path: Path) -> None:
    assert list_pictures(clips).names == ["a/1.png", "b/2.png", "b/10.png"]
    assert list_pictures(clips / "a" / "1.png").names == ["1.png"]
    (tmp_path / "empty").mkdir()
    for place, words in ((tmp_path / "none", "no such"), (tmp_path / "empty", "holds no picture")):
        with pytest.raises(InputError, match=words):
            list_pictures(place)


def test_tusimple_file_of_a_label_file_scores(clips: Path, tmp_path: Path) -> None:
    rows = list(range(130, 360, 10))
    names = ["a/1.png", "b/2.png", "b/10.png"]
    truth = [
        to_record(three(s), rows) | {"raw_file": n} for n, s in zip(names, (12, 0, 6), strict=True)
    ]
    labels = tmp_path / "labels.json"
    labels.write_text("".join(json.dumps(record) + "\n" for record in truth))
    out = tmp_path / "pred.json"
    outcome = predict_lanes(finder(), list_pictures(clips, labels), out, "tusimple")
    assert (outcome.frames, outcome.lanes, outcome.failures) == (3, 9, {})
    found = read_records(out)
    assert [r["raw_file"] for r in found] == names and found[0]["h_samples"] == rows
    assert all(r["run_time"] > 0 for r in found)
    assert tusimple_score(found, truth) == (1, 0, 0)


def test_every_format_and_overlays(clips: Path, tmp_path: Path) -> None:
    pictures = list_pictures(clips)
    for kind in ("geojson", "csv", "json"):
        predict_lanes(finder(), pictures, tmp_path / kind, kind)
    items = json.loads((tmp_path / "geojson").read_text())["features"]
    assert len(items) == 9 and items[0]["geometry"]["type"] == "LineString"
    drawn = tmp_path / "drawn"
    predict_lanes(finder(), pictures, tmp_path / "culane", "culane", overlays=drawn)
    assert len(read_culane(tmp_path / "culane" / "b" / "10.lines.txt")) == 3
    assert sorted(p.name for p in drawn.iterdir()) == ["a_1.png", "b_10.png", "b_2.png"]
    picture = np.asarray(Image.open(drawn / "a_1.png"))
    assert (picture == (230, 159, 0)).all(-1).sum() > 300  # the first colour
    with pytest.raises(ValueError, match="did you mean 'tusimple'"):
        predict_lanes(finder(), pictures, tmp_path / "x", "tusimpl")
    with pytest.raises(InputError, match="is a file"):
        predict_lanes(finder(), pictures, tmp_path / "csv", "culane")


def test_missing_and_broken_clips_are_named_and_the_rest_goes_on(
    clips: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (clips / "b" / "2.png").write_bytes(b"broken")
    listed = tmp_path / "list.txt"
    listed.write_text("/a/1.png 1 1 1 1\n/b/2.png\n/gone.png\n")
    outcome = predict_lanes(finder(), list_pictures(clips, listed), tmp_path / "o", "csv")
    assert outcome.frames == 1 and set(outcome.failures) == {"/b/2.png", "/gone.png"}
    assert "gone.png" in caplog.text
    listed.write_text("gone.png\n")
    with pytest.raises(InputError, match=r"gone\.png"):
        predict_lanes(finder(), list_pictures(clips, listed), tmp_path / "o", "csv")


def test_rows_that_differ_between_frames_are_refused(tmp_path: Path) -> None:
    labels = tmp_path / "l.json"
    records = [{"raw_file": "a", "lanes": [], "h_samples": rows} for rows in ([1, 2], [1, 3])]
    labels.write_text("".join(json.dumps(record) + "\n" for record in records))
    with pytest.raises(InputError, match="h_samples differ"):
        list_pictures(tmp_path, labels)


@pytest.mark.parametrize("rows", ["160", 160, [160, None], [[160], [170]]])
def test_rows_that_are_no_numbers_are_refused_before_the_work(tmp_path: Path, rows: object) -> None:
    labels = tmp_path / "l.json"
    labels.write_text(json.dumps({"raw_file": "a.jpg", "lanes": [], "h_samples": rows}))
    with pytest.raises(InputError, match=r"l\.json: h_samples .* are not a list of numbers"):
        list_pictures(tmp_path, labels)


def test_frames_of_two_sizes_are_one_sentence(clips: Path, tmp_path: Path) -> None:
    folder = clips / "b"
    Image.open(folder / "2.png").resize((320, 180)).save(folder / "3.png")
    with pytest.raises(InputError, match="followed by frame 2 of 320 x 180; give frames of one"):
        predict_drive(finder(), folder, tmp_path / "o.mp4")


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_video_to_video_with_ids_and_times_in_a_table(tmp_path: Path) -> None:
    out = tmp_path / "out.avi"
    outcome = predict_drive(finder(), drive(tmp_path / "in.avi"), out)
    assert (outcome.frames, outcome.lanes, outcome.broken_off) == (8, 24, False)
    written = list(read_frames(open_drive(out)))
    assert len(written) == 8 and written[0].image.shape == (*BIG, 3)
    table = rows_of(tmp_path / "out.csv")
    assert {row["lane"] for row in table} == {"1", "2", "3"}
    assert sorted({float(row["time"]) for row in table}) == pytest.approx(
        [i / 10 for i in range(8)]
    )
    feet = [float(r["x"]) for r in table if r["lane"] == "2" and float(r["y"]) == 350]
    assert np.diff(feet) == pytest.approx([4] * 7, abs=2)


def test_folder_of_frames_to_video(clips: Path, tmp_path: Path) -> None:
    outcome = predict_drive(finder(), clips / "b", tmp_path / "o.mp4", rate=5)
    assert outcome.frames == 2
    assert open_drive(tmp_path / "o.mp4").rate == pytest.approx(5)
    assert {row["image"] for row in rows_of(tmp_path / "o.csv")} == {"2.png", "10.png"}


def test_a_video_that_breaks_off_keeps_what_was_written(tmp_path: Path) -> None:
    whole = drive(tmp_path / "in.avi", 30).read_bytes()
    cut = tmp_path / "cut.avi"
    cut.write_bytes(whole[: len(whole) * 6 // 10])
    outcome = predict_drive(finder(), cut, tmp_path / "out.avi")
    assert 5 < outcome.frames < 30 and outcome.broken_off
    assert len(list(read_frames(open_drive(tmp_path / "out.avi")))) == outcome.frames
    assert len({row["image"] for row in rows_of(tmp_path / "out.csv")}) == outcome.frames


def test_what_was_seen_before_an_error_is_kept(tmp_path: Path) -> None:
    class Fails(PaintedModel):
        def __call__(self, batch):  # type: ignore[no-untyped-def]
            if len(self.batches) == 3:
                raise InputError("the graphics card is gone")
            return super().__call__(batch)

    path = drive(tmp_path / "in.avi")
    with pytest.raises(InputError, match="is gone"):
        predict_drive(LaneFinder(Fails()), path, tmp_path / "out.avi", batch=2)  # type: ignore[arg-type]
    assert len(list(read_frames(open_drive(tmp_path / "out.avi")))) == 6
    assert len({row["image"] for row in rows_of(tmp_path / "out.csv")}) == 6


def test_frames_before_an_error_of_their_source_come_first() -> None:
    def source() -> Iterator[Frame]:
        for index in range(3):
            yield Frame(np.zeros((4, 4, 3), np.uint8), str(index), 0.0)
        raise OSError("the disk is gone")

    groups = grouped(source(), 8)
    assert [frame.name for frame in next(groups)] == ["0", "1", "2"]
    with pytest.raises(OSError, match="is gone"):
        next(groups)
