"""Tuning at the end of training: what it may cost, what it never touches, what it leaves behind."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from embedseg.cli import main
from embedseg.data import Dataset, open_dataset
from embedseg.training import finish, loop
from embedseg.training.finish import tune_at_end
from embedseg.training.loop import train
from embedseg.training.options import resumed_config

CPU = {"device": "cpu", "amp": "off"}


@pytest.fixture
def run(tiny_run: Path, tmp_path: Path) -> Path:
    return shutil.copytree(tiny_run, tmp_path / "run")


def test_training_ends_with_tuning(run: Path, monkeypatch, caplog) -> None:
    """A resumed run that has nothing left to train is tuned, once."""
    caplog.set_level("INFO")
    monkeypatch.setattr(finish, "SHARE", 1e6)
    config = resumed_config(run)
    train(config, resume=True)
    assert not (run / "tuning.json").is_file(), "tune: false"
    train(replace(config, tune=True), resume=True)
    found = json.loads((run / "tuning.json").read_text())
    assert len(found["images"]) == 4 and found["settings"] > 10
    assert "tuned: sbd" in caplog.text
    (run / "tuning.json").write_text("{}")
    train(replace(config, tune=True), resume=True)
    assert (run / "tuning.json").read_text() == "{}", "what is tuned stays as it is"


def test_a_short_training_is_not_tuned(run: Path, scenes: Path, monkeypatch, caplog) -> None:
    caplog.set_level("INFO")
    calls = []
    monkeypatch.setattr(finish, "tune_run", lambda *_, **k: calls.append(len(k["samples"])))
    data = open_dataset(f"folder:{scenes}")
    tune_at_end(run, data, 0.5, **CPU)
    assert not calls and "training was too short" in caplog.text
    tune_at_end(run, data.subset(data.names[:3]), 1e6, **CPU)
    assert not calls and "3 images are held out, 4 are needed" in caplog.text
    monkeypatch.setattr(finish, "spread", lambda samples, most: samples.names[:most])
    monkeypatch.setattr(finish, "LOOKS", 1e-9)
    with pytest.raises(AttributeError):  # our tune_run returns nothing to describe
        tune_at_end(run, data, 1.0, **CPU)
    assert calls == [8]


def test_commands_in_messages_can_be_pasted(
    tiny_run: Path, tmp_path: Path, scenes: Path, monkeypatch, caplog, capsys
) -> None:
    caplog.set_level("INFO")
    run = shutil.copytree(tiny_run, tmp_path / "my run")
    data = open_dataset(f"folder:{scenes}")
    tune_at_end(run, data, 0.5, **CPU)
    tune_at_end(run, data.subset(data.names[:3]), 1e6, **CPU)
    monkeypatch.setattr(finish, "affordable", interrupt)
    tune_at_end(run, data, 1e6, **CPU)
    train(resumed_config(run), resume=True)
    for end in ("does it", "--data KIND:WHERE", "repeats it"):
        assert f"embedseg tune '{run}' {end}" in caplog.text
    assert f"--network.init '{run}'" in caplog.text
    monkeypatch.setattr(loop, "train", interrupt)
    assert main(["train", "--resume", str(run)]) == 130
    assert f"embedseg train --resume '{run}'" in capsys.readouterr().err


def interrupt(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_test_images_are_never_tuned_on(run: Path, scenes: Path, caplog) -> None:
    data = open_dataset(f"folder:{scenes}")
    held = Dataset(data.names, data.load, {"test": [data.names[5]]}, data.groups)
    tune_at_end(run, held, 1e6, **CPU)
    assert "never looks at" in caplog.text and not (run / "tuning.json").is_file()


def test_an_interruption_leaves_the_run_complete(
    run: Path, scenes: Path, monkeypatch, caplog
) -> None:
    monkeypatch.setattr(finish, "tune_run", interrupt)
    tune_at_end(run, open_dataset(f"folder:{scenes}"), 1e6, **CPU)
    assert "the run is complete" in caplog.text and not (run / "tuning.json").is_file()
