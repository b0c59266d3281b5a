"""The script behind the table of docs/networks.md."""

from pathlib import Path

import numpy as np
import pytest

from embedseg.data import Sample, open_dataset
from embedseg.models import MODELS
from scripts.overfit_all import RUNS, Run, cut, line, main, overfit, table


def test_it_trains_on_two_pictures_and_writes_a_row():
    data = open_dataset("leaves:2")
    run = Run({}, size=48, learning_rate=1e-3, steps=3)
    row = overfit("banet", [data[k] for k in range(2)], run, every=2, seconds=60)
    assert row["steps"] == 3
    assert np.isfinite(row["loss"])
    assert row["parameters"] == 66_707
    expected = "| banet | learning rate 0.001, 48 pixels | published | 0.07 | "
    assert line("banet", row).startswith(expected)
    assert "| gone | | | | | | | | no memory |" in table({"gone": {"error": "no memory"}})


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["cvppp:/nowhere"], "/nowhere: no such folder"),
        (["leaves:1"], "leaves:1: has 1 picture, and 2 are learned"),
        (["leaves:2", "--every=0"], "numbers must be > 0, got --every 0"),
        (["leaves:2", "--steps=0"], "numbers must be > 0, got --every 25 and {'steps': 0}"),
    ],
)
def test_a_slip_is_one_sentence(
    words: list[str],
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["overfit_all.py", "--names", "enet", "--data", *words])
    monkeypatch.setattr("scripts.overfit_all.in_own_process", lambda *_: {"error": "not refused"})
    with pytest.raises(SystemExit, match="1"):
        main()
    assert capsys.readouterr().err.startswith(sentence)


def test_runs_are_of_networks_that_exist():
    assert set(RUNS) <= set(MODELS)


def test_the_cut_holds_the_whole_plant():
    labels = np.zeros((60, 90), np.int32)
    labels[20:40, 50:80] = 1
    found = cut(Sample(np.zeros((60, 90, 3), np.uint8), labels), 33)
    assert found.labels.shape == (33, 33)
    assert 0.7 < (found.labels > 0).mean() / (30 * 20 / 33**2) < 1.4
