"""The lane scores from files, as tables, CSV and JSON."""

import json
import re
from pathlib import Path

import pytest

from embedseg.driving.outputs import list_pictures
from embedseg.driving.scores import (
    score_culane,
    score_tusimple,
    to_csv,
    to_json,
    to_table,
)
from embedseg.io import InputError
from embedseg.lanes.culane import read_categories

ROWS = list(range(160, 720, 10))


def record(name: str, x: float, **more: object) -> dict:
    return {"raw_file": name, "lanes": [[x] * 56], "h_samples": ROWS} | more


def write(path: Path, *records: dict) -> Path:
    path.write_text("".join(json.dumps(r) + "\n" for r in records))
    return path


def test_tusimple_score_of_two_files(tmp_path: Path) -> None:
    truth = write(tmp_path / "t.json", record("a", 100), record("b", 300))
    pred = write(tmp_path / "p.json", record("b", 310), record("a", 500))
    (row,) = score_tusimple(pred, truth)
    assert row == {"frames": 2, "accuracy": 0.5, "FP": 0.5, "FN": 0.5, "F1": 0.5}
    slow = write(tmp_path / "s.json", record("b", 300, run_time=300), record("a", 100))
    assert score_tusimple(slow, truth)[0]["accuracy"] == 0.5
    assert score_tusimple(slow, truth, ignore_run_time=True)[0]["accuracy"] == 1


def test_tusimple_files_that_do_not_fit_are_named(tmp_path: Path) -> None:
    truth = write(tmp_path / "t.json", record("a", 100))
    for pred, words in (
        ({"raw_file": "a", "lanes": [[1, 2]]}, "2 positions for 56 h_samples"),
        ({"raw_file": "a", "lanes": [[1, 2]], "h_samples": [1, 2, 3]}, "p.json against"),
        ({"raw_file": "a", "lanes": 7}, r"p\.json, line 1: has lanes 7; write a list of lanes"),
        ({"raw_file": "b", "lanes": []}, "not in the truth"),
    ):
        with pytest.raises(InputError, match=words):
            score_tusimple(write(tmp_path / "p.json", pred), truth)
    with pytest.raises(InputError, match="no such file"):
        score_tusimple(tmp_path / "none.json", truth)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"h_samples": None}, "has no 'h_samples'; every line needs raw_file, lanes, h_samples"),
        ({"lanes": None}, "has no 'lanes'; every line needs raw_file, lanes, h_samples"),
        ({"lanes": "abc"}, "has lanes 'abc'; write a list of lanes, [] for none"),
        ({"lanes": ["abc"]}, "has lane 0 'abc'; write a list of numbers: one x for each row"),
        ({"lanes": [[1, [2]]]}, "has lane 0 [1, [2]]; write a list of numbers"),
        ({"h_samples": 160}, "has h_samples 160; write a list of numbers"),
        ({"run_time": None}, "has run_time None; write milliseconds, or leave it out"),
    ],
)
def test_a_record_that_cannot_be_scored_is_named_with_its_line(
    tmp_path: Path, bad: dict, words: str
) -> None:
    good = write(tmp_path / "good.json", record("a", 100), record("b", 100))
    wrong = write(tmp_path / "wrong.json", record("a", 100), record("b", 100) | bad)
    wrong.write_text("\n" + wrong.read_text())
    with pytest.raises(InputError, match=re.escape(f"wrong.json, line 3: {words}")):
        score_tusimple(good, wrong)
    if bad.get("run_time", 0) is None:
        assert score_tusimple(wrong, good, ignore_run_time=True)[0]["accuracy"] == 1


def test_a_picture_twice_in_the_truth_is_refused(tmp_path: Path) -> None:
    truth = write(tmp_path / "t.json", record("a", 100), record("b", 100), record("a", 500))
    pred = write(tmp_path / "p.json", record("a", 100), record("b", 100))
    with pytest.raises(InputError, match=r"t\.json: 1 image is more than once in the truth.* 'a'"):
        score_tusimple(pred, truth)


def test_slow_frames_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    truth = write(tmp_path / "t.json", record("a", 100), record("b", 100))
    slow = write(tmp_path / "s.json", record("a", 100, run_time=201), record("b", 100))
    score_tusimple(slow, truth, ignore_run_time=True)
    assert not caplog.text
    score_tusimple(slow, truth)
    assert "1 of 2 frames took more than 200 ms" in caplog.text
    assert "--ignore-run-time" in caplog.text


def lines(folder: Path, **lanes: float | None) -> Path:
    folder.mkdir(exist_ok=True)
    for name, x in lanes.items():
        text = "" if x is None else f"{x} 590 {x} 300\n"
        (folder / f"{name}.lines.txt").write_text(text)
    return folder


def test_culane_score_at_both_thresholds(tmp_path: Path) -> None:
    truth = lines(tmp_path / "t", a=400, b=800, c=None)
    pred = lines(tmp_path / "p", a=411, c=100)  # 20 / 42 = 0.476
    half, third = score_culane(pred, truth)
    assert (half["IoU"], half["TP"], half["FP"], half["FN"]) == (0.5, 0, 2, 2)
    assert (third["IoU"], third["TP"], third["FP"], third["FN"]) == (0.3, 1, 1, 1)
    assert third["precision"] == third["recall"] == third["F1"] == 0.5
    listed = tmp_path / "list.txt"
    listed.write_text("/a.jpg\n")
    assert score_culane(pred, truth, names=listed)[1]["F1"] == 1


def test_lanes_of_larger_pictures_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    truth = lines(tmp_path / "t", a=400)
    score_culane(truth, truth)
    assert not caplog.text
    (truth / "b.lines.txt").write_text("400 1000 400 719\n")  # wholly below the score's pictures
    assert score_culane(truth, truth)[0]["TP"] == 1
    assert "lanes reach row 1000, but the score draws them on CULane's pictures" in caplog.text


def test_culane_categories(tmp_path: Path) -> None:
    truth = lines(tmp_path / "t", a=400, b=None)
    pred = lines(tmp_path / "p", a=400, b=100)
    splits = tmp_path / "test_split"
    splits.mkdir()
    (splits / "test0_normal.txt").write_text("a.jpg\n")
    (splits / "test5_cross.txt").write_text("b.jpg\n")
    assert read_categories(splits) == {"normal": ["a.jpg"], "cross": ["b.jpg"]}
    rows = score_culane(pred, truth, categories=splits)
    counts = {(r["category"], r["IoU"]): (r["TP"], r["FP"], r["FN"]) for r in rows}
    assert counts["normal", 0.5] == (1, 0, 0) and counts["cross", 0.5] == (0, 1, 0)
    assert counts["total", 0.3] == (1, 1, 0)


def test_culane_predictions_without_a_truth_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    truth = lines(tmp_path / "t", a=400, b=800)
    pred = lines(tmp_path / "p", a=400, B=800, c=1)
    assert score_culane(pred, truth)[0]["TP"] == 1
    assert "no truth for 2 predictions, such as B.lines.txt" in caplog.text
    caplog.clear()
    listed = tmp_path / "list.txt"
    listed.write_text("/a.jpg\n")
    score_culane(pred, truth, names=listed)  # the others are left out on purpose
    assert not caplog.text
    (pred / "a.lines.txt").unlink()
    for names in (None, listed):
        with pytest.raises(InputError, match=r"such as a\.lines\.txt, it has B\.lines\.txt"):
            score_culane(pred, truth, names=names)


def test_culane_folders_that_are_none(tmp_path: Path) -> None:
    truth = lines(tmp_path / "t", a=400)
    (tmp_path / "empty").mkdir()
    for pair, words in (
        ((tmp_path / "empty", truth), "holds no .lines.txt"),
        ((truth, tmp_path / "empty"), "holds no .lines.txt"),
        ((truth, tmp_path / "none"), "no such folder"),
    ):
        with pytest.raises(InputError, match=words):
            score_culane(*pair)
    with pytest.raises(InputError, match="test0_normal"):
        score_culane(truth, truth, categories=tmp_path / "empty")


def test_tables() -> None:
    rows = [{"category": "total", "TP": 3, "F1": 2 / 3}, {"category": "x", "TP": 10, "F1": 1.0}]
    assert to_table(rows) == "category  TP      F1\n   total   3  0.6667\n       x  10  1.0000"
    assert to_csv(rows) == "category,TP,F1\ntotal,3,0.666667\nx,10,1.000000\n"
    assert json.loads(to_json(rows)) == rows


def test_an_empty_list_is_named(tmp_path: Path) -> None:
    names = tmp_path / "empty.txt"
    names.write_bytes(b"\n")
    truth = lines(tmp_path / "truth", a=10.0)
    with pytest.raises(InputError, match=r"empty\.txt: lists no picture"):
        score_culane(truth, truth, names=names)
    with pytest.raises(InputError, match=r"empty\.txt: lists no picture"):
        list_pictures(tmp_path, names)
    names.write_bytes(b"caf\xe9.jpg\n")  # no UTF-8: told later as a picture that is not there
    assert list_pictures(tmp_path, names).names == ["caf\ufffd.jpg"]
