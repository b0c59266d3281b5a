"""`predict_files`: what the failure of a picture costs."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest
import torch

import embedseg
from embedseg.cli import main
from embedseg.commands.common import FAILED, PARTLY_FAILED
from embedseg.errors import InputError, sentence_of
from embedseg.inference import tables
from embedseg.io import write_image, write_labels
from embedseg.model import Model
from embedseg.predict import predict_files
from tests.scenes import discs

NO_MEMORY = [
    RuntimeError("[enforce fail at alloc_cpu.cpp:1] DefaultCPUAllocator: can't allocate memory"),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB"),
    MemoryError(),
]


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    """Four pictures of discs, the third of them called big."""
    paths = [tmp_path / f"{name}.png" for name in ("a", "b", "big", "c")]
    for seed, path in enumerate(paths):
        write_image(path, discs(seed)[0])
    return paths


def raise_at_big(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Let the network raise `error` where it sees the picture called big."""
    outputs = Model.outputs

    def failing(self: Model, image: object, name: str, mask: object) -> object:
        if name == "big":
            raise error
        return outputs(self, image, name, mask)

    monkeypatch.setattr(Model, "outputs", failing)


def listed(out: Path) -> set[str]:
    """Return the pictures of a summary."""
    with (out / "summary.csv").open(newline="", errors="surrogateescape") as file:
        return {row["image"] for row in csv.DictReader(file)}


def test_a_picture_without_an_instance_is_counted(
    tiny_run: Path, pictures: list[Path], tmp_path: Path
) -> None:
    masks, out = tmp_path / "masks", tmp_path / "out"
    for path in pictures[:2]:
        write_labels(masks / path.name, np.full((64, 64), path.stem == "a", int))
    model = embedseg.load(tiny_run, device="cpu")
    outcome = predict_files(model, pictures[:2], out, foreground=masks)
    assert outcome.instances["a"] > 0 and listed(out) == {"a"}
    predict_files(model, pictures[3:], out)
    with (out / "counts.csv").open(newline="") as file:
        counts = {row["image"]: row for row in csv.DictReader(file)}
    ours = {"image": "b", "instances": "0", "area": "0", "source": str(pictures[1].resolve())}
    assert counts["b"] == ours
    assert counts["a"]["instances"] == str(outcome.instances["a"]) and counts["a"]["area"] == "4096"
    assert [*counts] == ["a", "b", "c"]


def test_a_mask_of_two_pictures_of_one_name_is_refused(
    tiny_run: Path, pictures: list[Path], tmp_path: Path
) -> None:
    other, out = tmp_path / "well2" / pictures[0].name, tmp_path / "out"
    write_image(other, np.zeros((64, 64, 3), np.uint8))
    write_labels(tmp_path / "masks" / pictures[0].name, np.ones((64, 64), int))
    model = embedseg.load(tiny_run, device="cpu")
    with pytest.raises(InputError, match="one folder at a time"):
        predict_files(model, [pictures[0], other], out, foreground=tmp_path / "masks")
    assert not out.exists()


@pytest.mark.parametrize("error", NO_MEMORY, ids=lambda e: type(e).__name__)
def test_a_picture_too_large_for_the_memory_fails_alone(
    tiny_run: Path,
    pictures: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    raise_at_big(monkeypatch, error)
    outcome = predict_files(embedseg.load(tiny_run, device="cpu"), pictures, tmp_path / "out")
    assert list(outcome.failures) == [pictures[2]]
    reason = outcome.failures[pictures[2]]
    assert reason.startswith(f"{pictures[2]}: is too large for the memory") and "\n" not in reason
    assert listed(tmp_path / "out") == {*outcome.instances} == {"a", "b", "c"}


def test_a_picture_too_large_beside_others_is_done_alone(
    tiny_run: Path, pictures: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs, seen = Model.outputs, list[str]()

    def crowded(self: Model, image: object, name: str, mask: object) -> object:
        seen.append(name)
        if seen.count("big") == 1 and name == "big":
            raise MemoryError
        return outputs(self, image, name, mask)

    monkeypatch.setattr(Model, "outputs", crowded)
    outcome = predict_files(embedseg.load(tiny_run, device="cpu"), pictures, tmp_path / "out")
    assert not outcome.failures
    assert listed(tmp_path / "out") == {*outcome.instances} == {"a", "b", "big", "c"}
    assert sorted(seen[:-1]) == ["a", "b", "big", "c"] and seen[-1] == "big"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("a fault of ours")])
def test_what_is_done_is_in_the_summary_whatever_ends_it(
    tiny_run: Path,
    pictures: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
) -> None:
    raise_at_big(monkeypatch, error)
    with pytest.raises(type(error)):
        predict_files(embedseg.load(tiny_run, device="cpu"), pictures, tmp_path / "out")
    written = {p.name.removesuffix("_labels.tif") for p in (tmp_path / "out").glob("*_labels.tif")}
    assert listed(tmp_path / "out") == written >= {"a", "b"}


def test_a_name_that_is_no_utf8(tiny_run: Path, tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"gr\xfcn.png")
    write_image(odd, discs(0)[0])
    model = embedseg.load(tiny_run, device="cpu")
    for _ in range(2):  # the second time over the first one's summary
        outcome = predict_files(model, [odd], tmp_path / "out")
        assert not outcome.failures and listed(tmp_path / "out") == {odd.stem}
    assert (tmp_path / "out" / f"{odd.stem}_labels.tif").is_file()


def test_a_table_that_cannot_be_written_costs_nothing_else(
    tiny_run: Path, pictures: list[Path], tmp_path: Path, monkeypatch, capsys
) -> None:
    write, out = tables.write_rows, tmp_path / "out"

    def full(path: Path, *rest: object) -> None:
        if path.name == "summary.csv":
            raise InputError(f"cannot write {path}: no space left on the disk")
        write(path, *rest)

    monkeypatch.setattr(tables, "write_rows", full)
    words = ["predict", str(tiny_run), str(pictures[0]), "--device=cpu", "--out", str(out)]
    assert main(words) == PARTLY_FAILED
    told = capsys.readouterr()
    assert "1 image, " in told.out and "images failed" not in told.err
    assert (out / "counts.csv").is_file() and not (out / "summary.csv").exists()


def test_a_name_too_long_for_its_results_fails_alone(
    tiny_run: Path, pictures: list[Path], tmp_path: Path
) -> None:
    long = pictures[1].rename(tmp_path / f"{'b' * 250}.png")
    model = embedseg.load(tiny_run, device="cpu")
    outcome = predict_files(model, [pictures[0], long, pictures[2]], tmp_path / "out")
    assert {*outcome.instances} == {"a", "big"} and [*outcome.failures] == [long]
    assert "File name too long" in outcome.failures[long]


@pytest.mark.parametrize("command", ["predict", "visualize"])
def test_results_do_not_go_among_the_pictures(
    tiny_run: Path, pictures: list[Path], command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = pictures[0].parent
    words = [command, str(tiny_run), str(folder), "--device=cpu"]
    assert main([*words, "--out", str(folder / "." / "")]) == FAILED
    assert "name another one" in capsys.readouterr().err
    assert sorted(folder.iterdir()) == sorted(pictures)
    assert main([command, str(tiny_run), str(pictures[0]), "--out", str(folder)]) == 0


def test_results_of_another_picture_of_the_same_name_are_not_replaced(
    tiny_run: Path, pictures: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, out = embedseg.load(tiny_run, device="cpu"), tmp_path / "out"
    predict_files(model, pictures[:1], out)
    monkeypatch.chdir(tmp_path)
    predict_files(model, [Path("a.png"), pictures[1]], out)  # the same picture, spelled otherwise
    before = {path: path.read_bytes() for path in out.iterdir()}
    other = tmp_path / "day 2" / "a.png"
    write_image(other, discs(5)[0])
    with pytest.raises(InputError, match=f"results of {pictures[0]}, which those of {other}"):
        predict_files(model, [pictures[3], other], out)
    assert {path: path.read_bytes() for path in out.iterdir()} == before


@pytest.mark.parametrize("name", ["summary.csv", "counts.csv"])
def test_a_table_with_columns_of_the_users_own_is_not_replaced(
    tiny_run: Path, pictures: list[Path], tmp_path: Path, name: str
) -> None:
    model, table = embedseg.load(tiny_run, device="cpu"), tmp_path / "out" / name
    predict_files(model, pictures[:1], table.parent)
    table.write_text("image,treatment\na,drought\n")
    with pytest.raises(InputError, match=f"{name} has other columns.*rename it"):
        predict_files(model, pictures[1:], table.parent)
    assert "drought" in table.read_text()
    assert not list(table.parent.glob("b_*"))


@pytest.mark.parametrize("command", ["predict", "visualize"])
def test_results_of_an_earlier_call_are_no_pictures(
    tiny_run: Path, pictures: list[Path], command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = pictures[0].parent
    words = [command, str(tiny_run), str(folder / "**" / "*"), "--device=cpu"]
    for out in (folder, folder / "results"):
        assert main([*words, "--out", str(out)]) == 0
        capsys.readouterr()
        assert main([*words, "--out", str(out)]) == 0
        told = capsys.readouterr()
        assert f"in {out} left out: results" in told.err and "4 images, " in told.out
        for path in {path for path in folder.rglob("*") if path.is_file()} - {*pictures}:
            path.unlink()
    write_image(folder / "results" / "a_overlay.png", discs(0)[0])
    words = [command, str(tiny_run), str(folder / "results" / "*"), "--device=cpu"]
    assert main([*words, "--out", str(folder / "results")]) == FAILED
    assert "holds results alone" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["predict", "visualize"])
def test_a_file_in_the_place_of_the_folder_is_told_before_the_work(
    tiny_run: Path, pictures: list[Path], tmp_path: Path, command: str, capsys, monkeypatch
) -> None:
    (tmp_path / "out").write_text("mine")
    monkeypatch.setattr(Model, "outputs", None)
    words = [command, str(tiny_run), str(pictures[0]), "--device=cpu", "--out"]
    assert main([*words, str(tmp_path / "out" / "new")]) == FAILED
    assert capsys.readouterr().err.endswith("out stands in the way; choose another name\n")
    assert (tmp_path / "out").read_text() == "mine"


def test_an_error_about_a_file_is_told_without_its_number() -> None:
    assert sentence_of(FileNotFoundError(2, "No such file", "runs/a")) == "runs/a: No such file"
    assert sentence_of(OSError("odd")) == "odd"
