"""Steps that cannot be taken, and weights that cannot be judged, are told in the run's words."""

import math
from functools import partial
from pathlib import Path

import pytest
import torch

from embedseg.io import InputError
from embedseg.training import loop
from embedseg.training.loop import train
from embedseg.training.options import read_config
from tests.training.test_runs import arguments, rows


def test_one_image_a_step_is_told_by_the_batch(scenes: Path, tmp_path: Path) -> None:
    options = ["--network.backbone=bisenet", "--network.options={width: 8}", "--batch=1"]
    with pytest.raises(ValueError, match=r"batch must be >= 2 for bisenet, got 1: .* --batch 2 or"):
        train(read_config(arguments(scenes, tmp_path / "run", *options)))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("steps", "norms"), [(3, 2), (1, 0)])
def test_the_norm_is_that_of_the_steps_taken(
    scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int, norms: int
) -> None:
    """The first step overflows, whatever the gradient, and is skipped."""
    seen: list[torch.Tensor] = []
    clip = torch.nn.utils.clip_grad_norm_

    def clipped(*given: object) -> torch.Tensor:
        seen.append(clip(*given))  # type: ignore[arg-type]
        return seen[-1]

    scaler = partial(torch.amp.GradScaler, init_scale=2.0**127, backoff_factor=2.0**-120)
    monkeypatch.setattr(torch.amp, "GradScaler", scaler)
    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", clipped)
    options = ["--amp=fp16", "--epochs=1", "--tune=false", f"--steps-per-epoch={steps}"]
    (row,) = rows(train(read_config(arguments(scenes, tmp_path / "run", *options))))
    finite = [float(norm) for norm in seen if norm.isfinite()]
    assert len(seen) == steps and len(finite) == norms and "taken" not in row
    mean = sum(finite) / norms if norms else math.nan
    assert float(row["gradient_norm"]) == pytest.approx(mean, rel=1e-3, nan_ok=True)


def test_divergence_that_validation_finds_names_its_image(
    scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = loop.validate

    def of_diverged(judge, samples, *more):  # type: ignore[no-untyped-def]
        with torch.no_grad():
            next(judge.network.parameters()).fill_(math.nan)
        return real(judge, samples, *more)

    monkeypatch.setattr(loop, "validate", of_diverged)
    with pytest.raises(InputError) as told:
        train(read_config(arguments(scenes, tmp_path / "run", "--epochs=1")))
    first = (tmp_path / "run" / "val.txt").read_text().split()[0]
    assert str(told.value).startswith(f"validation image {first!r}: the network's outputs are not")
    assert "training diverged; start another run with a lower --optimizer.l" in str(told.value)
