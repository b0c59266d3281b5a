"""The lane commands as a user meets them, with the model that ships: outputs and sentences."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from embedseg.cli import main
from embedseg.commands.common import PARTLY_FAILED
from embedseg.data.roads import roads
from embedseg.lanes.hnet import HNet, save_hnet
from embedseg.lanes.tusimple import default_rows, to_record
from embedseg.lanes.video import open_drive, write_video


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two generated roads, a third file that is none, and their labels."""
    folder = tmp_path_factory.mktemp("roads")
    records = []
    for index, sample in enumerate(roads(2, seed=4)):
        Image.fromarray(sample.image).save(folder / f"{index}.png")
        rows = default_rows((256, 512))
        records.append(to_record(sample.lanes, rows) | {"raw_file": f"{index}.png"})  # type: ignore[attr-defined]
    (folder / "labels.json").write_text("".join(json.dumps(r) + "\n" for r in records))
    return folder


def last(capsys: pytest.CaptureFixture[str]) -> str:
    error = capsys.readouterr().err
    assert "Traceback" not in error
    return error.strip().splitlines()[-1]


def test_predict_then_evaluate(
    frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pred, labels = tmp_path / "pred.json", frames / "labels.json"
    words = ["lanes", "predict", "lanes", frames, "--list", labels, "--out", pred]
    assert main([str(w) for w in [*words, "--format", "tusimple"]]) == 0
    assert "2 pictures" in capsys.readouterr().out
    table = tmp_path / "score.json"
    score = ["evaluate", pred, labels, "--format", "tusimple", "--ignore-run-time", "--json", table]
    assert main([str(w) for w in score]) == 0
    assert "accuracy" in capsys.readouterr().out
    (row,) = json.loads(table.read_text())
    assert row["frames"] == 2 and row["accuracy"] > 0.5


def test_model_by_option_hnet_spline_and_a_missing_picture(
    frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_hnet(HNet(), tmp_path / "h.safetensors")
    listed = tmp_path / "list.txt"
    listed.write_text("0.png\ngone.png\n")
    words = ["lanes", "predict", "--model", "lanes", frames, "--list", listed]
    words += ["--out", tmp_path / "o.csv", "--format", "csv", "--curve", "spline"]
    words += ["--hnet", tmp_path / "h.safetensors", "--overlays", tmp_path / "drawn"]
    assert main([str(w) for w in words]) == PARTLY_FAILED
    assert "1 of 2 pictures failed" in last(capsys)
    assert (tmp_path / "drawn" / "0.png").is_file()


def test_video_of_a_video(frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = tmp_path / "drive.avi", tmp_path / "drive_lanes.mp4"
    with write_video(path, 10) as video:
        for _ in range(3):
            video.add(np.asarray(Image.open(frames / "0.png")))
    assert main(["predict", "lanes", str(path), "--out", str(out)]) == 0
    assert "3 frames, " in capsys.readouterr().out
    assert open_drive(out).frames == 3 and (tmp_path / "drive_lanes.csv").is_file()
    assert main(["lanes", "predict", "lanes", str(path), "--out", str(tmp_path / "x.json")]) == 1
    assert f"call embedseg predict MODEL {path} --out drive_lanes.mp4" in last(capsys)


def test_one_picture_is_not_pictures(
    frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["lanes", "predict", "lanes", str(frames / "0.png"), "--out", str(tmp_path / "x")]
    assert main(words) == 0
    assert capsys.readouterr().out.startswith("1 picture, ")


@pytest.mark.parametrize(
    ("words", "want"),
    [
        (["predict", "lanes", "a.mp4"], "give --out a video too"),
        (["predict", "lanes", "a.mp4", "b.mp4", "--out", "c.mp4"], "got 2"),
        (["predict", "lanes", "a.mp4", "--out", "c.mp4", "--tta", "d4"], "not for videos"),
        (["predict", "lanes", "a.mp4", "--out", "c.mp4", "--bandwidth", "1"], "not for videos"),
        (["predict", "lanes", "none.mp4", "--out", "c.mp4"], "no such video"),
        (["predict", "lanes", "a.mp4", "--out", "c.mp4", "--save", "pca"], "--save is for pic"),
        (["predict", "lanes", "a.mp4", "--out", "c.gif"], "c.gif: a video must end in .mp4, "),
        (["predict", "lanes", "{}", "--out", "c.wmv"], "c.wmv: a video must end in .mp4, "),
        (["predict", "lanes", "{}/0.png", "--out", "c.webm"], "c.webm: a video must end in .mp4, "),
        (["lanes", "predict", "lanes", "{}", "--out", "."], "embedseg: .: is a folder"),
        (["predict", "lanes", "{}", "--rate", "5"], "--rate goes with a video"),
        (["predict", "lanes", "{}", "--out", "c.mp4", "--rate", "0"], "rate must be > 0"),
        (["lanes", "predict", "lanes", "none", "--out", "x"], "no such picture or folder"),
        (["lanes", "predict", "lanes", "{}", "--out", "x", "--hnet", "none"], "no such file"),
        (["lanes", "predict", "lanes", "{}", "--out", "x", "--homography", "no.json"], "no.json"),
        (["lanes", "predict", "lanes", "{}", "--out", "x", "--batch", "0"], "batch must be >= 1"),
        (["lanes", "predict", "lanes", "{}", "--out", "x", "--degree", "-1"], "degree must be"),
        (["lanes", "predict", "lanes", "{}", "--out", "x", "--rate", "5"], "goes with --track"),
        (
            ["lanes", "predict", "lanes", "{}", "--out", "x", "--track", "--format", "culane"],
            "holds no ids of lanes",
        ),
        (
            ["lanes", "predict", "lanes", "{}", "--out", "x", "--curve", "spline", "--degree", "3"],
            "--degree is a polynomial's",
        ),
        (["evaluate", "a", "--format", "tusimple"], "compare files"),
        (["evaluate", "a", "b", "--categories", "c"], "go with --format"),
        (["evaluate", "a", "b", "--format", "culane", "--ignore-run-time"], "tusimple"),
        (["evaluate", "a", "b", "--format", "tusimple", "--list", "c"], "culane"),
        (["evaluate", "a.json", "b.json", "--format", "tusimple"], "a.json: no such file"),
    ],
)
def test_mistakes_are_one_sentence(
    words: list[str], want: str, frames: Path, capsys: pytest.CaptureFixture[str],
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert main([word.format(frames) for word in words]) == 1
    error = last(capsys)
    assert want in error and error.startswith("embedseg: "), error
    assert not list(tmp_path.iterdir())
