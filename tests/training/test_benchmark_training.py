"""The benchmark of a training step: both sides find the same loss, every part is measured."""

from pathlib import Path
from unittest import mock

import pytest
import torch

from embedseg.losses import seed
from scripts import benchmark_training


def test_both_sides_agree_and_the_parts_add_up(tmp_path: Path) -> None:
    text = benchmark_training.benchmark("leaves", "off", 64, 2, tmp_path)
    rows = {line.split()[0]: line.split()[1:] for line in text.splitlines()[2:]}
    assert set(rows) == {"forward", "losses", "backward", "weights", "step", "a"}
    parts = [float(rows[name][0]) for name in benchmark_training.PARTS]
    assert all(part > 0 for part in parts)
    assert sum(parts) == pytest.approx(float(rows["step"][0]), rel=0.3)


def test_sides_that_differ_are_told(tmp_path: Path) -> None:
    measure = seed._measure

    def wrong(x: torch.Tensor, keys: object) -> tuple[torch.Tensor, torch.Tensor]:
        squared, shares = measure(x, keys)
        return squared, 2 * shares

    with mock.patch.object(seed, "_measure", wrong), pytest.raises(SystemExit, match="differ"):
        benchmark_training.benchmark("leaves", "off", 64, 1, tmp_path)
