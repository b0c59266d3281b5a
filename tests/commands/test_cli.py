"""The command line as a user meets it: outputs, exit codes, one sentence for each mistake."""

import csv
import io
import json
import re
import resource
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from embedseg.cli import COMMANDS, main
from embedseg.commands.common import FAILED, PARTLY_FAILED
from embedseg.inference.spec import ModelSpec
from embedseg.info import describe_model
from embedseg.model import build_from_spec, save_weights
from tests.scenes import discs


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    code = main([str(w) for w in words])
    out = capsys.readouterr()
    return code, out.out, out.err


def sentence(error: str) -> str:
    """The last line of an error output, which must be one sentence and no traceback."""
    assert "Traceback" not in error
    return error.strip().splitlines()[-1]


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_is_quick_and_needs_neither_torch_nor_numpy(command: str) -> None:
    code = (
        "import sys, embedseg.cli\n"
        "try: embedseg.cli.main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "slow = {'torch', 'numpy'} & {*sys.modules}\n"
        "assert not slow, f'imported: {slow}'"
    )
    words = [sys.executable, "-c", code, *([command] if command else []), "--help"]
    for _ in range(3):  # at most: once quick is quick
        start = child_seconds()
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        seconds = child_seconds() - start  # of the processor, so that other tests do not matter
        assert done.returncode == 0, done.stderr
        assert "usage" in done.stdout
        if seconds < 0.5:
            return
    pytest.fail(f"{seconds:.2f} s")


def test_the_module_runs_as_the_command_does() -> None:
    words = [sys.executable, "-m", "embedseg", "nosuch"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == main(["nosuch"])
    assert done.stderr.startswith("embedseg: ")
    assert "nosuch" in done.stderr


def child_seconds() -> float:
    """Processor seconds of all child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_predict_writes_what_it_says(
    tiny_run: Path, scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(
        capsys, "predict", tiny_run, scenes / "images", "--out", tmp_path,
        "--save", "labels", "overlay", "pca", "embedding", "foreground", "scores",
    )  # fmt: skip
    assert code == 0 and "8 images" in out
    labels = tifffile.imread(tmp_path / "scene0_labels.tif")
    assert labels.dtype == np.uint16 and labels.shape == (64, 64)
    with tifffile.TiffFile(tmp_path / "scene0_labels.tif") as file:
        assert file.pages[0].compression.name in ("ADOBE_DEFLATE", "DEFLATE")
    assert Image.open(tmp_path / "scene0_overlay.jpg").size == (64, 64)
    with np.load(tmp_path / "scene0_embedding.npz") as arrays:
        assert arrays["embedding"].shape == (4, 64, 64)
    assert json.loads((tmp_path / "scene0_scores.json").read_text())
    with (tmp_path / "summary.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["image"] for row in rows} == {f"scene{k}" for k in range(8)}
    assert sum(int(r["area"]) for r in rows if r["image"] == "scene0") == (labels > 0).sum()


def test_a_summary_keeps_the_rows_of_earlier_pictures(
    tiny_run: Path, scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def summary() -> list[dict[str, str]]:
        with (tmp_path / "summary.csv").open(newline="") as file:
            return list(csv.DictReader(file))

    run(capsys, "predict", tiny_run, f"{scenes}/images/scene[01].png", "--out", tmp_path)
    first = summary()
    assert {row["image"] for row in first} == {"scene0", "scene1"}
    for _ in range(2):  # a picture that comes again replaces its own rows
        run(capsys, "predict", tiny_run, f"{scenes}/images/scene[12].png", "--out", tmp_path)
    assert [row["image"] for row in summary()] == sorted(row["image"] for row in summary())
    assert [row for row in summary() if row["image"] != "scene2"] == first
    assert "scene2" in {row["image"] for row in summary()}

    (tmp_path / "summary.csv").write_text("some,other\ntable,1\n")
    code, _, err = run(
        capsys, "predict", tiny_run, f"{scenes}/images/scene0.png", "--out", tmp_path
    )
    assert code == 1 and "other columns" in err and summary() == [{"some": "table", "other": "1"}]


def test_inputs_as_glob_and_stdin(
    tiny_run: Path,
    scenes: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    code, out, _ = run(
        capsys, "predict", tiny_run, f"{scenes}/images/scene[01].png", "--out", tmp_path
    )
    assert code == 0 and "2 images" in out
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{scenes}/images/scene2.png\n"))
    code, out, _ = run(capsys, "predict", tiny_run, "-", "--out", tmp_path / "b")
    assert code == 0 and "1 image," in out


def test_given_foreground_from_a_folder(
    tiny_run: Path, scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, _ = run(
        capsys, "predict", tiny_run, scenes / "images" / "scene0.png", "--out", tmp_path,
        "--foreground", scenes / "labels",
    )  # fmt: skip
    truth = np.array(Image.open(scenes / "labels" / "scene0.png"))
    assert code == 0
    assert np.array_equal(tifffile.imread(tmp_path / "scene0_labels.tif") > 0, truth > 0)


def test_one_bad_file_is_reported_and_the_rest_goes_on(
    tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    image, _ = discs(0)
    Image.fromarray(image).save(folder / "good.png")
    Image.fromarray(image).convert("L").save(folder / "grey.png")
    Image.fromarray(image).convert("RGBA").save(folder / "rgba.png")
    Image.fromarray(image).convert("CMYK").save(folder / "cmyk.jpg")
    tifffile.imwrite(folder / "deep.tif", image.astype(np.uint16) * 200)
    (folder / "cut.png").write_bytes((folder / "good.png").read_bytes()[:300])
    (folder / "empty.png").write_bytes(b"")
    tifffile.imwrite(folder / "nan.tif", np.full((20, 20), np.nan, np.float32))
    code, out, err = run(capsys, "predict", tiny_run, folder, "--out", tmp_path / "out")
    assert code == PARTLY_FAILED and "5 images" in out
    assert "3 of 8 images failed" in sentence(err)
    done = {p.name.removesuffix("_labels.tif") for p in (tmp_path / "out").glob("*_labels.tif")}
    assert done == {"good", "grey", "rgba", "cmyk", "deep"}
    assert not list((tmp_path / "out").glob(".tmp-*"))


def rows_of(file: Path) -> dict[str, dict[str, float]]:
    return {row["image"]: row for row in json.loads(file.read_text())["images"]}


def test_evaluate_folders_and_model(
    tiny_run: Path, scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, "predict", tiny_run, scenes / "images", "--out", tmp_path)
    (tmp_path / "scene7_labels.tif").unlink()
    code, out, err = run(
        capsys, "evaluate", tmp_path, scenes / "labels",
        "--csv", tmp_path / "s.csv", "--json", tmp_path / "s.json",
    )  # fmt: skip
    assert code == PARTLY_FAILED and "scene7" in sentence(err)
    by_files = rows_of(tmp_path / "s.json")
    code, out, _ = run(
        capsys, "evaluate", tiny_run, "--data", f"folder:{scenes}", "--json", tmp_path / "m.json"
    )
    assert code == 0 and "SBD" in out
    by_model = rows_of(tmp_path / "m.json")
    assert by_files["scene0"]["SBD"] == pytest.approx(by_model["scene0"]["SBD"])
    code, _, _ = run(
        capsys, "evaluate", tiny_run, "--data", f"folder:{scenes}", "--true-foreground",
        "--json", tmp_path / "t.json",
    )  # fmt: skip
    given = rows_of(tmp_path / "t.json")
    assert all(row["FgBgDice"] == 1 for row in given.values())


def test_info_and_check_data(
    tiny_run: Path, scenes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys, "info", tiny_run)
    assert code == 0 and "unet" in out and "bandwidth" in out
    assert "background, foreground" in out
    code, out, _ = run(capsys, "info")
    assert code == 0 and "torch" in out
    described = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    extras = re.search(r"^extras +(.*)$", out, re.M)[1]
    known = described["project"]["optional-dependencies"].keys() - {"test"}
    assert set(re.sub(r" \((yes|no)\)", "", extras).split(", ")) == known
    code, out, _ = run(capsys, "check-data", scenes)
    assert code == 0 and "8" in out


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"seed_head": True, "seed_threshold": 0.4}, "founders      pixels of a seed > 0.4"),
        ({"core_step": 0.6}, "founders      pixels whose neighbours are nearer than 0.3"),
        ({"core_step": 0.0}, "founders      all of the foreground"),
        ({"method": "spatial", "seed_head": True, "embedding_dim": 2}, "2 dimensions, places in"),
        (
            {"tta": "flips", "tta_scales": (1.0, 1.5)},
            "as it is and flips, at 1, 1.5 times the size",
        ),
    ],
)
def test_info_tells_what_a_tuning_may_choose(
    changes: dict[str, Any], line: str, tmp_path: Path
) -> None:
    spec = ModelSpec(backbone="unet", options={"width": 4, "depth": 2}, **changes)
    save_weights(tmp_path / "w.safetensors", build_from_spec(spec).state_dict(), spec)
    assert line in describe_model(tmp_path / "w.safetensors")


def test_info_counts_classes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = ModelSpec(backbone="unet", options={"width": 4, "depth": 2}, classes=3)
    save_weights(tmp_path / "w.safetensors", build_from_spec(spec).state_dict(), spec)
    code, out, _ = run(capsys, "info", tmp_path / "w.safetensors")
    assert code == 0 and "3, the first of them background" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["predict", "/nowhere", "x.png"], "x.png"),
        (["predict", "{run}", "/nowhere/*.png"], "/nowhere"),
        (["predict", "/nowhere", "{image}"], "no such model"),
        (["predict", "{empty}", "{image}"], "no weights"),
        (["predict", "{run}", "{image}", "--save", "labells"], "did you mean 'labels'"),
        (["predict", "{run}", "{image}", "--bandwidth", "-1"], "bandwidth must be > 0, got -1"),
        (["predict", "nuclei", "{image}", "--bandwidth", "1"], "has no bandwidth to be set"),
        (["predict", "{run}", "{image}", "--scales", "inf"], "scales must be positive"),
        (["predict", "{run}", "{image}", "--scales", "nan"], "scales must be positive"),
        (["predict", "{run}", "{image}", "--scales", "1e9"], "scales must be positive and at most"),
        (["predict", "{run}", "{image}", "--device", "cuda:7"], "cuda:7"),
        (["predict", "{broken}", "{image}"], "not a readable safetensors file"),
        (["predict", "{foreign}", "{image}"], "another program"),
        (["predict", "{misfit}", "{image}"], "do not fit the network"),
        (["predict", "{unknown}", "{image}"], "did you mean 'unet'"),
        (["evaluate", "{run}"], "either PREDICTIONS TRUTH or RUN --data"),
        (["evaluate", "/nowhere", "/nowhere"], "/nowhere"),
        (["evaluate", "{run}", "/nowhere"], "is a run, not a folder of label files; score it with"),
        (["evaluate", "{run}", "--data", "foldr:x"], "did you mean 'folder'"),
        (["check-data", "/nowhere"], "/nowhere"),
        (["train", "--config", "leafs"], "did you mean 'leaves'"),
        (["train", "--resume", "/nowhere"], "/nowhere"),
        (["info", "/nowhere"], "no such model"),
    ],
)
def test_mistakes_get_one_sentence(
    words: list[str],
    message: str,
    tiny_run: Path,
    scenes: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    good = tiny_run / "weights" / "best.safetensors"
    (tmp_path / "empty").mkdir()
    broken, foreign = tmp_path / "broken.safetensors", tmp_path / "foreign.safetensors"
    broken.write_bytes(good.read_bytes()[:200])
    save_file({"x": torch.zeros(2)}, foreign)
    places = {
        "run": tiny_run, "image": scenes / "images" / "scene0.png", "empty": tmp_path / "empty",
        "broken": broken, "foreign": foreign,
        "misfit": altered(good, tmp_path / "misfit.safetensors", embedding_dim=5),
        "unknown": altered(good, tmp_path / "unknown.safetensors", backbone="unett"),
    }  # fmt: skip
    filled = [word.format(**places) for word in words]
    code, _, err = run(capsys, *filled, *out_option(words, tmp_path))
    assert code == FAILED
    assert message in sentence(err)
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def out_option(words: list[str], tmp_path: Path) -> list[str]:
    return ["--out", str(tmp_path / "out")] if words[0] == "predict" else []


def altered(source: Path, target: Path, **values: object) -> Path:
    """A copy of a checkpoint whose description was changed."""
    from safetensors import safe_open

    with safe_open(source, framework="pt") as file:
        spec = json.loads(file.metadata()["embedseg"])
    save_file(load_file(source), target, metadata={"embedseg": json.dumps(spec | values)})
    return target


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ("train --confg leaves", 2, "unknown option '--confg'; did you mean '--config'?"),
        ("train --network.backbne=enet", 2, "did you mean '--network.backbone'?"),
        ("train --epochs many --data x", 2, 'embedseg train: Parser key "epochs"'),
        ("predict leaf x --outt=y", 2, "predict: unknown option '--outt'; did you mean '--out'?"),
        ("demo much", 2, "embedseg demo: unknown argument 'much'; embedseg demo --help"),
        ("--foo predict leaf x", 2, "embedseg: unknown option '--foo'; embedseg --help lists all"),
        ("predct leaf x", 1, "embedseg: unknown command 'predct'; did you mean 'predict'?"),
    ],
)  # fmt: skip
def test_a_slip_gets_one_line(
    words: str, code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        found = main(words.split())
    except SystemExit as stop:  # as argparse ends a program
        found = stop.code
    said = capsys.readouterr().err
    assert found == code and message in said
    assert len(said.splitlines()) <= 2


def test_unknown_key_in_a_config_file_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "c.yaml").write_text("epoch: 3\n")
    with pytest.raises(SystemExit) as stop:
        main(["train", "--config", str(tmp_path / "c.yaml")])
    assert stop.value.code == 2 and "epoch" in capsys.readouterr().err


def test_full_disk_leaves_nothing_half_written(
    tiny_run: Path,
    scenes: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tifffile, "imwrite", full)
    image = scenes / "images" / "scene0.png"
    code, _, _ = run(capsys, "predict", tiny_run, image, "--out", tmp_path / "out")
    assert code == FAILED and "no space left" in caplog.text
    assert {p.name for p in (tmp_path / "out").iterdir()} <= {"summary.csv", "counts.csv"}


def test_a_moved_run_still_loads(
    tiny_run: Path, scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(tiny_run, tmp_path / "moved")
    image = scenes / "images" / "scene0.png"
    code, _, _ = run(capsys, "predict", tmp_path / "moved", image, "--out", tmp_path / "out")
    assert code == 0
