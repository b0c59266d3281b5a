"""Several processes: they learn what one does, and stay together to the end."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from embedseg.training.loop import train
from embedseg.training.options import read_config
from tests.training.test_runs import arguments, rows

KEEPING = """
import os, sys, torch
from embedseg.cli import main
from embedseg.training import loop, run_folder

fit = loop.fit

def kept(job, at):
    fit(job, at)
    torch.save([*job.network.parameters()], f"{job.config.run}.{job.where.rank}.pt")

loop.fit = kept
run_folder.plot_metrics = lambda *_: None
sys.exit(main(sys.argv[1:]))
"""  # the command line without curves, which also keeps the weights of each process beside the run


def in_two(arguments: list[str]) -> list[str]:
    """Run `embedseg` in two processes, which must end well; return what each wrote."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    place = {**os.environ, "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    command = [sys.executable, "-c", KEEPING, *arguments]
    processes = [
        subprocess.Popen(
            command,
            env={**place, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        told = [process.communicate(timeout=120)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
    return [f"{process.returncode}: {text}" for process, text in zip(processes, told, strict=True)]


def same_weights(run: Path) -> bool:
    """Return whether both processes ended with the same weights."""
    one, two = (torch.load(f"{run}.{rank}.pt") for rank in range(2))
    return all(torch.equal(a, b) for a, b in zip(one, two, strict=True))


def test_two_processes_equal_one_with_the_whole_batch(scenes: Path, tmp_path: Path) -> None:
    """Group norm sees one image alone, so only the order of float32 sums differs: 1e-4 relative."""
    options = ["--network.options={width: 4, depth: 2, norm: group}", "--batch=4", "--epochs=2"]
    alone = train(read_config(arguments(scenes, tmp_path / "one", *options)))
    ended = in_two(["train", *arguments(scenes, tmp_path / "two", *options)])
    assert all(text.startswith("0: ") for text in ended), ended
    for one, two in zip(rows(alone), rows(tmp_path / "two"), strict=True):
        for name in one:
            assert float(two[name]) == pytest.approx(float(one[name]), rel=1e-4, abs=1e-5), name


def test_a_time_limit_ends_both_at_one_step(scenes: Path, tmp_path: Path) -> None:
    """Each has a clock of its own, of which the leading one counts."""
    options = ["--epochs=0", "--time_limit=0.03", "--clock=cpu", "--validate_every=0"]
    ended = in_two(["train", *arguments(scenes, tmp_path / "run", *options)])
    assert all(text.startswith("0: ") for text in ended), ended
    assert int(rows(tmp_path / "run")[-1]["step"]) > 3
    assert same_weights(tmp_path / "run")


@pytest.mark.slow
def test_side_heads_are_trained_in_two(scenes: Path, tmp_path: Path) -> None:
    """Those of the seed head, which nothing reads, do not stop it."""
    options = [
        "--network.backbone=unet3+",
        "--network.options={depth: 2, width: 4, deep_supervision: true}",
        "--loss={dice: 1, deep_supervision: 0.5}",
        "--epochs=1",
        "--tune=false",
    ]
    ended = in_two(["train", *arguments(scenes, tmp_path / "run", *options)])
    assert all(text.startswith("0: ") for text in ended), ended
    assert same_weights(tmp_path / "run")


@pytest.mark.slow
def test_one_image_for_each_process_is_told_by_the_batch(scenes: Path, tmp_path: Path) -> None:
    options = ["--network.backbone=bisenet", "--network.options={width: 8}"]
    for text in in_two(["train", *arguments(scenes, tmp_path / "run", *options)]):
        assert text.startswith("1: ")
        assert "batch must be >= 4 for bisenet, got 2" in text
