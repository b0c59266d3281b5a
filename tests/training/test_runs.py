"""A run: its folder, its repetition, its interruption, its processes."""

import csv
import errno
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from embedseg.cli import main
from embedseg.commands.common import FAILED
from embedseg.io import InputError, read_labels, write_labels
from embedseg.model import Model
from embedseg.training import loop, run_folder
from embedseg.training.loop import train
from embedseg.training.options import read_config, resumed_config
from embedseg.training.sources import open_sources
from embedseg.viz import plot_metrics
from tests.scenes import write_folder

SMALL = [
    "--epochs=3", "--steps-per-epoch=3", "--batch=2", "--amp=off", "--device=cpu", "--threads=1",
    "--data.working_size=32", "--augment.size=32", "--network.options={width: 4, depth: 2}",
    "--network.embedding_dim=4", "--optimizer.warmup_steps=2",
]  # fmt: skip


def arguments(scenes: Path, run: Path, *more: str) -> list[str]:
    return ["--data", f"folder:{scenes}", "--run", str(run), *SMALL, *more]


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "weights" / "last.safetensors")


def rows(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open() as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


@pytest.fixture(scope="module")
def finished(scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(read_config(arguments(scenes, tmp_path_factory.mktemp("runs") / "whole")))


def test_folder_is_complete(finished: Path) -> None:
    expected = {
        "config.yaml", "env.json", "metrics.csv", "results.png", "results.html", "log.txt",
        "state.pt", "weights", "samples", "train.txt", "val.txt",
    }  # fmt: skip
    assert expected <= {p.name for p in finished.iterdir()}
    assert {p.name for p in (finished / "weights").iterdir()} == {
        "best.safetensors", "last.safetensors",
    }  # fmt: skip
    assert len(rows(finished)) == 3
    assert not list(finished.rglob(".tmp-*"))


def test_curves_are_drawn_with_each_row(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_folder, "plot_metrics", plot_metrics)  # elsewhere it is blank
    run = shutil.copytree(finished, tmp_path / "run")
    run_folder.Metrics(run, epochs=4, keep=3).add({"epoch": 4, "loss": 0.5}, finished=True)
    assert Image.open(run / "results.png").width > 1000, "panels of all four rows"
    assert len(rows(run)) == 4


def test_names_of_the_images_are_kept(scenes: Path, tmp_path: Path) -> None:
    """Drawn at random or not: what was held out can be scored and tuned on later."""
    run = train(read_config(arguments(scenes, tmp_path / "named", "--epochs=1")))
    parts = [set((run / f).read_text().split()) for f in ("train.txt", "val.txt")]
    assert parts[0] and parts[1] and not parts[0] & parts[1]
    everything = {file.stem for file in (scenes / "images").iterdir()}
    assert parts[0] | parts[1] == everything
    assert main(["tune", str(run), "--quick", "--device=cpu"]) == 0
    (run / "val.txt").unlink()
    assert main(["tune", str(run), "--quick", "--device=cpu"]) == 1


def test_an_existing_run_is_refused_before_data_is_read(finished: Path, capsys) -> None:
    assert main(["train", "--data", "folder:nowhere", "--run", str(finished)]) == 1
    assert "never overwritten" in capsys.readouterr().err


def test_an_interruption_says_how_to_go_on(
    scenes: Path, tmp_path: Path, monkeypatch, capsys
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(loop, "run_epoch", stop)
    run = tmp_path / "begun"
    for words in (arguments(scenes, run), ["--resume", str(run)]):
        assert main(["train", *words]) == 130
        assert f"go on with: embedseg train --resume {run}" in capsys.readouterr().err
    monkeypatch.setattr(loop, "prepare", stop)
    assert main(["train", *arguments(scenes, tmp_path / "nothing")]) == 130
    assert capsys.readouterr().err.strip().endswith("embedseg: interrupted")


def test_resuming_a_finished_run_says_so(finished: Path, tmp_path: Path, caplog, capsys) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(finished, copy)
    with caplog.at_level("INFO"):
        assert main(["train", "--resume", str(copy)]) == 0
    assert "is finished after 3 epochs" in caplog.text
    assert main(["train", "--config", "demo", "--resume", str(copy)]) == 1
    assert "takes one run folder and no other option" in capsys.readouterr().err


def test_never_overwrites(scenes: Path, finished: Path) -> None:
    before = (finished / "metrics.csv").read_bytes()
    with pytest.raises(InputError, match="never overwritten"):
        train(read_config(arguments(scenes, finished)))
    assert (finished / "metrics.csv").read_bytes() == before


def test_repeats_from_its_own_config(finished: Path, tmp_path: Path) -> None:
    config = read_config(["--config", str(finished / "config.yaml"), "--run", str(tmp_path / "b")])
    again = train(config)
    assert rows(again) == rows(finished)
    first, second = weights(finished), weights(again)
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_seed_matters(scenes: Path, finished: Path, tmp_path: Path) -> None:
    other = train(read_config(arguments(scenes, tmp_path / "c", "--seed=1")))
    assert rows(other) != rows(finished)


def test_killed_and_resumed_is_bit_identical(scenes: Path, finished: Path, tmp_path: Path) -> None:
    run = tmp_path / "killed"
    command = [sys.executable, "-m", "embedseg.cli", "train", *arguments(scenes, run)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not (run / "metrics.csv").is_file() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = len(rows(run))
    assert 1 <= done < 3, "the run must be killed between its first epoch and its end"
    assert train(resumed_config(run), resume=True) == run
    assert rows(run) == rows(finished)
    first, second = weights(finished), weights(run)
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_the_best_weights_are_those_that_were_validated(
    scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged: list[torch.Tensor] = []

    def validate(judge: Model, *_: object) -> dict[str, float]:
        judged.append(next(judge.network.parameters()).detach().clone())
        return {"val_sbd": 0.9 if len(judged) == 1 else 0.1}

    monkeypatch.setattr(loop, "validate", validate)
    words = ["--epochs=4", "--validate_every=2", "--tune=false"]
    run = train(read_config(arguments(scenes, tmp_path / "run", *words)))
    best = load_file(run / "weights" / "best.safetensors")
    assert len(judged) == 2
    assert any(kept.equal(judged[0]) for kept in best.values())
    assert not any(kept.equal(judged[1]) for kept in best.values())


def test_time_alone_can_end_a_run(scenes: Path, tmp_path: Path) -> None:
    options = ["--epochs=0", "--time_limit=0.03", "--clock=cpu", "--validate_every=0"]
    run = train(read_config(arguments(scenes, tmp_path / "timed", *options)))
    *early, last = rows(run)
    assert early and last["val_sbd"] and not any(row["val_sbd"] for row in early)
    assert float(last["lr"]) < 0.2 * float(early[0]["lr"]), "the schedule runs down within the time"
    assert int(last["step"]) > 3
    with pytest.raises(ValueError, match="epochs must be >= 1"):
        train(read_config(arguments(scenes, tmp_path / "endless", "--epochs=0")))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--network.backbone=enett"], "did you mean 'enet'"),
        (["--network.options={widht: 4}"], "did you mean 'width'"),
        (["--loss.foreground={dise: 1}"], "did you mean 'dice'"),
        (["--data.val_fraction=0"], "val_fraction"),
        (["--data.train=folder:/nowhere"], "/nowhere"),
        (["--device=cuda:9"], "cuda:9"),
        (["--steps_per_epoch=-1"], "steps_per_epoch must be >= 0, got -1"),
        (["--batch=0"], "batch must be >= 1, got 0"),
        (["--time_limit=-1"], "time_limit must be >= 0, got -1"),
        (["--time_limit=.nan"], "time_limit must be >= 0, got nan"),
        (["--data.working_size=-5"], "working_size must be a longer side > 0.*got -5"),
        (["--data.working_size=[64, 0]"], r"working_size must be .*got \[64, 0\]"),
        (["--seed=-1"], "seed must be >= 0, got -1"),
        (["--bandwidth=-1"], "bandwidth must be >= 0, got -1"),
        (["--min_size=-5"], "min_size must be >= 0, got -5"),
        (["--seed_threshold=5"], r"seed_threshold must be in \[0, 1\], got 5"),
        (["--loss.dice=-1"], "loss.dice must be >= 0, got -1"),
        (["--network.classes=3"], "no image has classes, but network.classes is 3"),
        (["--copy_paste=2"], r"copy_paste must be in \[0, 1\], got 2"),
        (["--loss.alpha=-1"], "loss.alpha must be >= 0"),
        (["--loss.beta=-1"], "loss.beta must be >= 0"),
        (["--loss.gamma=-0.1"], "loss.gamma must be >= 0"),
        (["--patience=2", "--validate_every=0"], "patience counts validations"),
        (["--augment.outside=background"], "mirrored objects"),
        (["--network.seed_head=false", "--seed_threshold=0.5"], "seed_threshold is of the seed"),
        (["--loss.spacing=[1, 1, 2]"], r"loss.spacing must be .*got \[1.0, 1.0, 2.0\]"),
        (["--loss.spacing=[1, 0]"], r"loss.spacing must be .*got \[1.0, 0.0\]"),
        (["--augment.elastic=10"], r"augment.elastic must be in \[0, 1\]"),
        (["--augment.translation=30"], r"augment.translation must be in \[0, 1\]"),
    ],
)
def test_refused_before_any_work(
    scenes: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        train(read_config(arguments(scenes, tmp_path / "no", *options)))
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize("command", ["train", "train-hnet"])
def test_a_file_is_no_run(tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes").write_text("mine")
    data = "--data=leaves:2" if command == "train" else "--data=roads:2"
    assert main([command, data, f"--run={tmp_path / 'notes'}"]) == FAILED
    assert "notes: is a file, and a run is a folder; choose" in capsys.readouterr().err
    assert (tmp_path / "notes").read_text() == "mine"


@pytest.mark.parametrize("file", ["train.txt", "state.pt", "results.png"])
def test_a_disk_that_fills_up_is_told(
    scenes: Path, tmp_path: Path, monkeypatch, capsys, file: str
) -> None:
    """By the file that did not fit, whatever else is written on the way out; no folder blocks."""
    monkeypatch.setattr(Path, "replace", replace_until(file))
    assert main(["train", *arguments(scenes, tmp_path / "run", "--tune=false")]) == FAILED
    told = capsys.readouterr().err
    assert f"cannot write {tmp_path / 'run' / file}: no space left on the disk" in told
    assert (tmp_path / "run").exists() == (file != "train.txt")


def replace_until(name: str) -> Callable[[Path, Path], Path]:
    """Return a `Path.replace` that finds the disk full from the file `name` on."""
    replace, full = Path.replace, []

    def replaced(path: Path, target: Path) -> Path:
        full.extend([True] if target.name == name else [])
        if full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return replace(path, target)

    return replaced


def test_a_failure_before_the_first_step_leaves_no_folder(
    scenes: Path, tmp_path: Path, monkeypatch
) -> None:
    """What has learned nothing must not block its name; what has learned a step stays."""
    config = read_config(arguments(scenes, tmp_path / "run", "--epochs=1", "--tune=false"))
    real = loop.step
    for steps in (0, 1):
        taken: list[int] = []

        def step(*given, steps=steps, taken=taken):
            if len(taken) == steps:
                raise ValueError("no such option")
            taken.append(1)
            return real(*given)

        monkeypatch.setattr(loop, "step", step)
        with pytest.raises(ValueError, match="no such option"):
            train(config)
        assert (tmp_path / "run").exists() == bool(steps)
    monkeypatch.setattr(loop, "step", step)
    with pytest.raises(ValueError, match="no such option"):  # a run that goes on is never removed
        train(resumed_config(tmp_path / "run"), resume=True)
    assert (tmp_path / "run" / "config.yaml").is_file()


def test_background_only_labels_are_refused(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "empty", count=4)
    for file in (folder / "labels").iterdir():
        Image.new("L", (64, 64)).save(file)
    with pytest.raises(InputError, match="no training image has an instance"):
        train(read_config(arguments(folder, tmp_path / "no")))


def test_masks_instead_of_instances_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = write_folder(tmp_path / "masks", count=4)
    for file in (folder / "labels").iterdir():
        labels = read_labels(file)
        file.unlink()
        write_labels(file, 255 * (labels > 0))
    open_sources(read_config(arguments(folder, tmp_path / "no")).data)
    assert "every label has the one id 255: these look like masks" in caplog.text


def test_corrupt_state_is_refused(scenes: Path, tmp_path: Path) -> None:
    run = train(read_config(arguments(scenes, tmp_path / "run", "--epochs=1")))
    whole = (run / "state.pt").read_bytes()
    torch.save([1], tmp_path / "list.pt")
    other = (tmp_path / "list.pt").read_bytes()
    for damaged in (b"not a state", b"", whole[:20], whole[: len(whole) // 2], other):
        (run / "state.pt").write_bytes(damaged)
        with pytest.raises(InputError, match=r"state\.pt: cannot be resumed \(\S.*NEW$"):
            train(resumed_config(run), resume=True)
