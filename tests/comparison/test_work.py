"""One training of a comparison: what is written where it fails, and what is said of all."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from embedseg.comparison import run as module
from embedseg.comparison.cells import Cell
from embedseg.comparison.run import Task, describe, finished, flat, refuse_other_budget, work
from embedseg.io import InputError
from embedseg.training.options import read_config
from embedseg.training.run_folder import dump

CONFIG = read_config(["--data=leaves:4", "--device=cpu", "--threads=1", "--batch=3"])


def task(out: Path, seed: int = 3, **options: str) -> Task:
    run = out / "runs" / "a" / f"seed{seed}"
    run.mkdir(parents=True, exist_ok=True)
    return Task(Cell("a", options), replace(CONFIG, run=str(run), seed=seed))


def test_a_failure_is_told_in_a_line_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, asked = task(tmp_path, amp="off"), []

    def full(*_: object, **__: object) -> None:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory\nTried to allocate")

    monkeypatch.setattr(module, "train", full)
    assert not finished(own)
    work(own)
    told = json.loads(own.beside(".json").read_text())
    assert told == {
        "cell": "a", "seed": 3, "failed": "CUDA out of memory", "settings": {"amp": "off"},
    }  # fmt: skip
    assert own.beside(".yaml").read_text() == dump(own.config) and not finished(own)
    monkeypatch.setattr(module, "train", lambda config, resume: asked.append((config, resume)))
    monkeypatch.setattr(module, "measure", lambda _: {"steps": 7})
    work(own)
    assert finished(own) and asked == [(own.config, False)]
    told = json.loads(own.beside(".json").read_text())
    assert (told["steps"], "failed" in told) == (7, False)


def test_only_runs_with_a_result_are_held_against_another_budget(tmp_path: Path) -> None:
    old = task(tmp_path, seed=0)
    old.beside(".yaml").write_text(dump(replace(old.config, batch=8)))
    refuse_other_budget([task(tmp_path)], tmp_path)  # begun, and in no table
    old.beside(".json").write_text("{}")
    refuse_other_budget([old], tmp_path)  # asked for itself: told elsewhere
    refuse_other_budget([task(tmp_path, batch="3")], tmp_path)  # what the cells vary
    with pytest.raises(InputError, match="has batch 8, where 3 is asked for"):
        refuse_other_budget([task(tmp_path)], tmp_path)


def test_settings_are_compared_as_yaml_has_them() -> None:
    plain = flat({"a": {"b": (1, 2), "c": {"d": None}}, "e": 1})
    assert plain == {"a.b": [1, 2], "a.c.d": None, "e": 1}


@pytest.mark.parametrize(
    ("minutes", "steps", "budget"),
    [
        (2.5, 0, "2.5 minutes of cpu time"),
        (0.0, 40, "40 steps"),
        (0.0, 0, "the base's own budget"),
    ],
)
def test_the_budget_is_said(tmp_path: Path, minutes: float, steps: int, budget: str) -> None:
    own = task(tmp_path)
    own = Task(own.cell, replace(own.config, clock="cpu"))
    note = describe([own], tmp_path, (0, 3), minutes, steps)
    assert note.startswith(f"Each run: {budget}, batch 3, working size ")
    assert ", data leaves:4, seeds 0, 3; 1 threads of " in note and "medians of cpu time" in note
