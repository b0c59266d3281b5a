"""What a run that goes on keeps: the pictures it began with."""

import shutil
from pathlib import Path

import pytest
import torch

from embedseg.io import InputError
from embedseg.training import loop
from embedseg.training.config import TrainConfig
from embedseg.training.loop import train
from embedseg.training.options import read_config, resumed_config
from tests.scenes import write_folder
from tests.training.test_runs import arguments, rows, weights

SHORT = ["--epochs=2", "--steps-per-epoch=0", "--tune=false"]


class Stopped(KeyboardInterrupt):
    pass


def stop_after_one_epoch(config: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Train one epoch of `config`, as a process that is interrupted does."""
    real = loop.run_epoch

    def one(job, parallel, at, clock, bar):
        if at.epoch == 1:
            raise Stopped
        return real(job, parallel, at, clock, bar)

    with monkeypatch.context() as patch, pytest.raises(Stopped):
        patch.setattr(loop, "run_epoch", one)
        train(config)
    return Path(config.run)


def same(run: Path, other: Path) -> bool:
    first, second = weights(run), weights(other)
    return rows(run) == rows(other) and all(torch.equal(first[key], second[key]) for key in first)


def test_pictures_added_since_change_nothing(tmp_path: Path, monkeypatch) -> None:
    """Half of them came: the split would be another, and held-out pictures would be trained on."""
    many, few = write_folder(tmp_path / "many", count=12), tmp_path / "few"
    shutil.copytree(many, few, ignore=shutil.ignore_patterns("*[24680].png"))
    whole = train(read_config(arguments(few, tmp_path / "whole", *SHORT)))
    config = read_config(arguments(few, tmp_path / "run", *SHORT))
    run = stop_after_one_epoch(config, monkeypatch)
    shutil.copytree(many, few, dirs_exist_ok=True)
    train(resumed_config(run), resume=True)
    assert same(run, whole)


def test_lists_of_repeated_and_joined_data_are_kept(tmp_path: Path, monkeypatch) -> None:
    many, few = write_folder(tmp_path / "many", count=6), tmp_path / "few"
    shutil.copytree(many, few, ignore=shutil.ignore_patterns("*[024].png"))
    lines = "leaves:2,size=32,leaves=3-4"
    data = [f"--data=2*folder:{few} + 3*{lines}", f"--val={lines.replace('2', '2,9', 1)}"]
    whole = train(read_config(arguments(few, tmp_path / "whole", *SHORT, *data)))
    config = read_config(arguments(few, tmp_path / "run", *SHORT, *data))
    run = stop_after_one_epoch(config, monkeypatch)
    shutil.copytree(many, few, dirs_exist_ok=True)
    train(resumed_config(run), resume=True)
    assert same(run, whole)


def test_a_picture_that_is_missing_now_is_named(tmp_path: Path, monkeypatch) -> None:
    folder = write_folder(tmp_path / "pictures", count=5)
    config = read_config(arguments(folder, tmp_path / "run", *SHORT))
    run = stop_after_one_epoch(config, monkeypatch)
    gone = (run / "train.txt").read_text().split()[1]
    (folder / "images" / f"{gone}.png").unlink()
    with pytest.raises(InputError, match=f"{gone}.*which the run began with, is missing now; put"):
        train(resumed_config(run), resume=True)
