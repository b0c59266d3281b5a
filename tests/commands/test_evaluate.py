"""Which files and pictures are scored, and what is said of the others."""

import logging
import shutil
from pathlib import Path
from unicodedata import normalize

import numpy as np
import pytest
from PIL import Image

import embedseg
from embedseg.cli import main
from embedseg.commands.common import FAILED, PARTLY_FAILED
from embedseg.evaluate import evaluate_folders, evaluate_model, label_files
from embedseg.io import InputError, write_labels


def fill(folder: Path, *names: str) -> Path:
    for name in names:
        write_labels(folder / name, np.eye(8, dtype=np.int32))
    return folder


def test_two_files_of_one_picture_are_refused(tmp_path: Path) -> None:
    truth = fill(tmp_path / "t", "a.png")
    found = fill(tmp_path / "p", "a.png", "a.tif")
    with pytest.raises(InputError, match="keep one of them"):
        evaluate_folders(found, truth)


def test_an_umlaut_may_be_spelled_as_two_signs(tmp_path: Path) -> None:
    truth = fill(tmp_path / "t", normalize("NFC", "ü.png"))
    found = fill(tmp_path / "p", normalize("NFD", "ü_labels.tif"))
    scores, failures = evaluate_folders(found, truth)
    assert len(scores.images) == 1 and not failures


def test_one_file_is_scored_alone(tmp_path: Path) -> None:
    truth = fill(tmp_path / "t", "a.png", "b.png")
    found = fill(tmp_path / "p", "a_labels.tif", "b_labels.tif")
    for pair in ((found, truth / "b.png"), (found / "b_labels.tif", truth)):
        scores, failures = evaluate_folders(*pair)
        assert [row[0] for row in scores.rows] == ["b"] and not failures
    scores, failures = evaluate_folders(found / "a_labels.tif", truth / "b.png")  # as it was told
    assert len(scores.images) == 1 and not failures
    with pytest.raises(InputError, match="no label file of the name of"):
        evaluate_folders(fill(tmp_path / "q", "c.png") / "c.png", truth)


def test_predictions_without_a_truth_are_spoken_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    truth, found = fill(tmp_path / "t", "a.png"), fill(tmp_path / "p", "a.png", "b.png", "c.png")
    evaluate_folders(found, truth)
    assert "no truth for 2 predictions, such as b.png" in caplog.text


def test_many_failures_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth = fill(tmp_path / "t", *(f"{k}.png" for k in range(15)))
    code = main(["evaluate", str(fill(tmp_path / "p", "3.png")), str(truth)])
    lines = capsys.readouterr().err.splitlines()
    assert code == PARTLY_FAILED and len(lines) == 11
    assert lines[-1].endswith("... and 4 more that failed")


def test_an_empty_list_is_named(tiny_run: Path, scenes: Path, tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text("\n")
    with pytest.raises(InputError, match=r"names\.txt: lists no image"):
        evaluate_model(embedseg.load(tiny_run, device="cpu"), f"folder:{scenes}", names)


def test_bitmaps_are_labels(tmp_path: Path) -> None:
    Image.fromarray(np.eye(8, dtype=np.uint8)).save(tmp_path / "a.bmp")
    scores, _ = evaluate_folders(tmp_path, fill(tmp_path / "p", "a.png"))
    assert scores.summary["SBD"] == 1


def test_hidden_files_are_no_labels(tmp_path: Path) -> None:
    folder = fill(tmp_path, "a.png")
    (folder / "._a.png").write_bytes(b"what a Mac leaves beside a file")
    assert list(label_files(folder)) == ["a"]


def test_files_left_out_are_spoken_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = fill(tmp_path, "a_mask.png", "a.png", "a_fg.png", "b.png", "c.png")
    with caplog.at_level(logging.WARNING, "embedseg"):
        assert list(label_files(folder)) == ["a"]
    assert "2 files" in caplog.text and "b.png" in caplog.text


def test_files_of_one_picture_are_no_reason_to_speak(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "embedseg"):
        label_files(fill(tmp_path, "a_label.png", "a_rgb.png", "a_fg.png"))
    assert not caplog.text


def test_one_bad_picture_leaves_the_scores_of_the_others(
    tiny_run: Path, scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = shutil.copytree(scenes, tmp_path / "scenes")
    (data / "images" / "scene3.png").write_bytes(b"no picture")
    code = main(["evaluate", str(tiny_run), "--data", f"folder:{data}"])
    out, err = capsys.readouterr()
    assert code == PARTLY_FAILED
    assert "scene3.png" in err and "Traceback" not in err
    assert "scene2" in out and "scene3" not in out


@pytest.mark.parametrize(
    "option", ["--tta=d4", "--scales=0.5", "--ensemble=nosuch", "--device=cpu", "--amp=bf16"]
)
def test_label_files_take_no_options_of_a_model(
    tmp_path: Path, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    truth, found = fill(tmp_path / "t", "a.png"), fill(tmp_path / "p", "a.png")
    assert main(["evaluate", str(found), str(truth), option]) == FAILED
    assert f"{option.partition('=')[0]} is for a model" in capsys.readouterr().err
    lanes = ["--format", "tusimple", option]
    assert main(["evaluate", str(found), str(truth), *lanes]) == FAILED
    assert "lane files are scored as they are" in capsys.readouterr().err


def test_a_name_that_stands_twice_in_a_list_counts_once(
    tiny_run: Path, scenes: Path, tmp_path: Path
) -> None:
    names = tmp_path / "names.txt"
    names.write_text("scene1\nscene0\nscene1\n")
    scores, _ = evaluate_model(embedseg.load(tiny_run), f"folder:{scenes}", names)
    assert [image.name for image in scores.images] == ["scene1", "scene0"]


def test_scores_on_pictures_of_the_training_are_warned_of(
    tiny_run: Path, scenes: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    words = ["evaluate", str(tiny_run), "--data", f"folder:{scenes}", "--device=cpu"]
    trained = (tiny_run / "train.txt").read_text().split()
    assert main(words) == 0
    assert f"was trained on {len(trained)} of these images ({min(trained)}, ...)" in caplog.text
    caplog.clear()
    assert main([*words, "--list", str(tiny_run / "val.txt")]) == 0
    same = shutil.copytree(scenes, tmp_path / "same")  # another source, for all that is known
    words[3] = f"folder:{same}"
    assert main(words) == 0
    assert "was trained on" not in caplog.text
