"""What a run that goes on keeps: the pictures it began with, and all that it has learned."""

import shutil
from pathlib import Path

import pytest
import torch

from embedseg import load
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


def stop(*_: object) -> None:
    raise Stopped


def same(run: Path, other: Path) -> bool:
    first, second = weights(run), weights(other)
    return rows(run) == rows(other) and all(torch.equal(first[key], second[key]) for key in first)


def test_a_run_that_goes_on_needs_no_longer_what_it_began_from(tmp_path: Path, monkeypatch) -> None:
    data = write_folder(tmp_path / "data", count=6)
    begin = train(read_config(arguments(data, tmp_path / "begin", *SHORT, "--epochs=1")))
    words = arguments(data, tmp_path / "whole", *SHORT, "--network.init", str(begin))
    whole = train(read_config(words))
    words[words.index(str(tmp_path / "whole"))] = str(tmp_path / "parts")
    run = stop_after_one_epoch(read_config(words), monkeypatch)
    shutil.rmtree(begin)
    train(resumed_config(run), resume=True)
    assert same(run, whole)


def test_a_run_that_ended_no_epoch_begins_again_from_what_it_was_to_begin_from(
    tmp_path: Path, monkeypatch
) -> None:
    data = write_folder(tmp_path / "data", count=6)
    begin = train(read_config(arguments(data, tmp_path / "begin", *SHORT, "--epochs=1")))
    still = ["--optimizer.learning_rate=0", "--optimizer.ema=0", "--seed=5"]
    words = arguments(data, tmp_path / "run", *SHORT, *still, "--network.init", str(begin))
    with monkeypatch.context() as patch, pytest.raises(Stopped):
        patch.setattr(loop, "run_epoch", stop)
        train(read_config(words))
    run = tmp_path / "run"
    assert not (run / "state.pt").exists()
    train(resumed_config(run), resume=True)
    learned = dict(torch.nn.Module.named_parameters(load(begin).network))
    for name, value in load(run).network.named_parameters():
        assert torch.equal(value, learned[name]), name


def test_the_page_of_a_run_that_was_stopped_says_so(tmp_path: Path, monkeypatch) -> None:
    data = write_folder(tmp_path / "data", count=6)
    words = arguments(data, tmp_path / "run", *SHORT)
    run = stop_after_one_epoch(read_config(words), monkeypatch)
    page = (run / "results.html").read_text()
    assert "stopped · epoch 1 of 2" in page and "http-equiv" not in page
    train(resumed_config(run), resume=True)
    assert "finished · epoch 2 of 2" in (run / "results.html").read_text()


def test_data_are_found_from_elsewhere_and_told_where_they_are_gone(
    tmp_path: Path, monkeypatch
) -> None:
    data = write_folder(tmp_path / "data", count=6)
    monkeypatch.chdir(tmp_path)
    run = stop_after_one_epoch(
        read_config(arguments(Path("data"), tmp_path / "run", *SHORT)), monkeypatch
    )
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    first = (run / "metrics.csv").read_text().splitlines()
    train(resumed_config(run), resume=True)
    assert len((run / "metrics.csv").read_text().splitlines()) > len(first)
    data.rename(tmp_path / "moved")
    with pytest.raises(InputError, match=r"began with the data folder:data: put it back, or"):
        train(resumed_config(run), resume=True)


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
    lines = "leaves:2,size=64,leaves=6-9"
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


@pytest.mark.parametrize("epoch", [1, 2])
def test_a_failing_validation_loses_nothing(
    scenes: Path, tmp_path: Path, monkeypatch, epoch: int
) -> None:
    """The run goes on at the validation, in the middle or at the end, as if nothing had been."""
    whole = train(read_config(arguments(scenes, tmp_path / "whole", *SHORT)))
    config = read_config(arguments(scenes, tmp_path / "run", *SHORT))
    real, calls = loop.validate, []

    def fail(*given):
        calls.append(given)
        if len(calls) == epoch:
            raise InputError("no space left")
        return real(*given)

    with monkeypatch.context() as patch, pytest.raises(InputError, match="no space"):
        patch.setattr(loop, "validate", fail)
        train(config)
    last = weights(tmp_path / "run")
    assert epoch == 1 or all(torch.equal(last[key], value) for key, value in weights(whole).items())
    steps: list[int] = []
    epochs = loop.run_epoch
    monkeypatch.setattr(loop, "run_epoch", lambda *g: (steps.append(g[2].epoch), epochs(*g))[1])
    train(resumed_config(tmp_path / "run"), resume=True)
    assert steps == list(range(epoch, 2)), "no epoch is repeated"
    assert same(tmp_path / "run", whole)


def test_killed_between_the_figures_and_the_state(
    scenes: Path, tmp_path: Path, monkeypatch
) -> None:
    """A row of metrics.csv that the state does not know is written once."""
    whole = train(read_config(arguments(scenes, tmp_path / "whole", *SHORT)))

    def stop(*_: object) -> None:
        raise Stopped

    with monkeypatch.context() as patch, pytest.raises(Stopped):
        patch.setattr(loop, "describe", stop)
        patch.setattr(loop, "save_state", _first_of_two(loop.save_state))
        train(read_config(arguments(scenes, tmp_path / "run", *SHORT)))
    assert len(rows(tmp_path / "run")) == 1
    train(resumed_config(tmp_path / "run"), resume=True)
    assert same(tmp_path / "run", whole)


def _first_of_two(save):
    calls: list[int] = []

    def saved(*given):
        calls.append(1)
        if len(calls) == 1:
            save(*given)

    return saved


def test_a_damaged_validation_picture_is_found_at_once(tmp_path: Path) -> None:
    data, held = (write_folder(tmp_path / name, count=3) for name in ("data", "held"))
    (held / "images" / "scene2.png").write_bytes(b"damaged")
    words = [*SHORT, f"--val=folder:{held}"]
    with pytest.raises(InputError, match=r"held/images/scene2\.png.*check-data"):
        train(read_config(arguments(data, tmp_path / "run", *words)))
    assert not (tmp_path / "run").exists()
