"""A comparison from the command line: tables, picture, resumption, cells that fail."""

import csv
import json
import os
import shutil
import statistics
from pathlib import Path
from typing import Any

import pytest

from embedseg.cli import main
from embedseg.commands.common import FAILED, INTERRUPTED, PARTLY_FAILED
from embedseg.comparison.costs import count
from embedseg.comparison.run import metric_name, read_results, report, score_and_time
from embedseg.comparison.table import short, summarise, to_markdown, to_text
from embedseg.data import Dataset
from embedseg.inference.spec import ModelSpec
from embedseg.metrics import Scores
from embedseg.model import Model
from embedseg.training.state import save_state
from embedseg.viz.tradeoff import LETTER, Box, Point, frontier, spots_of
from tests.scenes import write_folder

WORDS = [
    "--vary", "loss.foreground=dice,{focal: 1}", "--steps", "2", "--seeds", "0,1", "--batch=2",
    "--amp=off", "--device=cpu", "--threads=1", "--data.working_size=32", "--augment.size=32",
    "--network.options={width: 4, depth: 2}", "--network.embedding_dim=4",
]  # fmt: skip


def words(scenes: Path, out: Path) -> list[str]:
    return ["compare", "--data", f"folder:{scenes}", "--out", str(out), *WORDS]


@pytest.fixture(scope="module")
def compared(scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("cmp") / "out"
    assert main(words(scenes, out)) == 0
    return out


@pytest.fixture(autouse=True)
def quick_picture(compared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After `compared`, whose picture is drawn, a picture is an empty file: it takes longest."""
    monkeypatch.setattr(
        "embedseg.comparison.run.plot_tradeoff", lambda path, *_, **__: path.write_bytes(b"")
    )


def test_tables_agree_with_the_runs(compared: Path) -> None:
    content = json.loads((compared / "results.json").read_text())
    assert {(r["cell"], r["seed"]) for r in content["runs"]} == {
        (cell, seed) for cell in ("dice", "focal") for seed in (0, 1)
    }
    for row in content["cells"]:
        own = [r["scores"]["SBD"] for r in content["runs"] if r["cell"] == row["cell"]]
        assert row["SBD"] == pytest.approx(statistics.fmean(own))
        assert row["std"] == pytest.approx(statistics.stdev(own))
        assert row["steps"] == 2 and row["seconds"] > row["network_seconds"] > 0
    with (compared / "results.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 4
    table = (compared / "results.md").read_text()
    assert r"\|DiC\|" in table and table.count("\n| ") == 3
    assert (compared / "compare.png").stat().st_size > 1000


def test_finished_runs_are_kept_and_a_missing_one_is_trained(
    compared: Path, scenes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = compared / "runs" / "focal" / "seed0.json"
    before, times = kept.read_text(), kept.stat().st_mtime_ns
    lost = compared / "runs" / "dice" / "seed1.json"
    old = json.loads(lost.read_text())
    lost.unlink()
    assert main(words(scenes, compared)) == 0
    assert kept.read_text() == before and kept.stat().st_mtime_ns == times
    assert json.loads(lost.read_text())["scores"] == old["scores"]
    assert "focal" in capsys.readouterr().out


def test_an_interrupted_cell_goes_on_from_its_last_epoch(
    scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def call(out: str) -> int:
        argv = words(scenes, tmp_path / out)
        at = argv.index("--steps")
        argv[at : at + 4] = ["--epochs=2", "--steps-per-epoch=1"]  # and one seed
        return main([*argv, "--validate_every=0"])

    def until_now(run: Path, *state: Any) -> None:
        save_state(run, *state)
        raise KeyboardInterrupt

    assert call("whole") == 0
    monkeypatch.setattr("embedseg.training.loop.save_state", until_now)
    assert call("broken") == INTERRUPTED
    monkeypatch.undo()
    run = tmp_path / "broken" / "runs" / "dice" / "seed0"
    first = (run / "metrics.csv").read_text().splitlines()
    assert len(first) == 2 and not run.with_name("seed0.json").exists()
    assert "val_sbd" not in first[0], "only the end is validated"
    assert call("broken") == 0
    assert (run / "metrics.csv").read_text().splitlines()[1].startswith(first[1][:20])
    scores = [
        [(r["cell"], r["seed"], r["scores"]) for r in read_results(tmp_path / out)]
        for out in ("whole", "broken")
    ]
    assert scores[0] == scores[1] and len(scores[0]) == 2


def test_a_run_is_scored_on_what_it_held_out_whatever_was_added_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, out = write_folder(tmp_path / "data", count=4), tmp_path / "out"
    assert main(words(data, out)) == 0
    held = (out / "runs" / "dice" / "seed0" / "val.txt").read_text().split()
    (out / "runs" / "dice" / "seed0.json").unlink()
    shutil.copytree(write_folder(tmp_path / "more", count=40), data, dirs_exist_ok=True)
    seen: list[list[str]] = []

    def score(model: Model, samples: Dataset, clock: Any) -> tuple[Scores, dict[str, float]]:
        seen.append(samples.names)
        return score_and_time(model, samples, clock)

    monkeypatch.setattr("embedseg.comparison.run.score_and_time", score)
    assert main(words(data, out)) == 0
    assert seen == [held]


def test_other_settings_under_one_name_are_refused(
    compared: Path, scenes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words(scenes, compared), "--optimizer.ema=0.5"]) == FAILED
    assert "was trained with other settings" in capsys.readouterr().err


def test_a_comparison_is_the_same_wherever_it_and_its_data_are_named(
    compared: Path, scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr("embedseg.comparison.run.work", lambda task: pytest.fail(str(task.run)))
    moved = shutil.copytree(compared, tmp_path / "moved")
    assert main(words(scenes, moved)) == 0
    monkeypatch.chdir(scenes.parent)
    assert main(words(Path(scenes.name), Path(os.path.relpath(compared)))) == 0
    argv = words(scenes / ".." / scenes.name, moved)
    more = ["--vary", "optimizer.ema=0.5"]  # of another name, so held against those in the folder
    monkeypatch.setattr("embedseg.comparison.run.work", lambda _: None)
    assert main([*argv, *more]) == 0
    capsys.readouterr()
    other = shutil.copytree(scenes, tmp_path / "other")
    assert main(words(other, moved)) == FAILED
    assert "was trained with other settings" in capsys.readouterr().err


def test_a_failing_cell_does_not_stop_the_others(
    scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = [
        *words(scenes, tmp_path), "--seeds", "0", "--vary", "data.val_fraction=0.3,0",
    ]  # fmt: skip
    argv[argv.index("--vary") + 1] = "loss.foreground=dice"
    assert main(argv) == PARTLY_FAILED
    out = capsys.readouterr().out
    assert "dice, val_fraction=0 failed: val_fraction must be in (0, 1)" in out
    assert "dice, val_fraction=0.3 " in out and (tmp_path / "compare.png").is_file()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--vary", "backbone=enett"], "cell 'dice, enett': unknown model 'enett'"),
        (["--vary", "loss.options={delta: 1}"], "unknown loss.options 'delta'"),
        (["--metric", "SBT"], "did you mean 'SBD'"),
        (
            ["--vary", "network.options={width: wide},{width: 8}"],
            "cell 'dice, options=width:wide': unet option width must be a whole number, got 'wide'",
        ),
        (["--run", "x"], "--run is not for compare"),
        (["--seeds", "0,0"], "--seeds takes different"),
        (["--minutes", "1"], "--minutes or --steps"),
    ],
)
def test_refused_before_any_training(
    scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], message: str
) -> None:
    assert main([*words(scenes, tmp_path), *more]) == FAILED
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_rows_are_sorted_and_reasons_told() -> None:
    def result(cell: str, seed: int, sbd: float) -> dict[str, object]:
        scores = {"SBD": sbd, "|DiC|": 1 - sbd}
        costs = dict.fromkeys(("parameters", "macs", "memory", "seconds", "network_seconds"), 2e6)
        return {"cell": cell, "seed": seed, "scores": scores, "costs": costs, "steps": 3,
                "train_seconds": 60.0}  # fmt: skip

    results = [result("a", 0, 0.4), result("a", 1, 0.6), result("b", 0, 0.7),
               {"cell": "c", "seed": 0, "failed": "no such loss"}]  # fmt: skip
    rows = summarise(results, "SBD")
    assert [row["cell"] for row in rows] == ["b", "a", "c"]
    assert rows[1]["std"] == pytest.approx(0.02**0.5) and "std" not in rows[0]
    assert [row["cell"] for row in summarise(results, "|DiC|")] == ["b", "a", "c"]
    assert "c failed: no such loss" in to_text(rows, "SBD")
    assert to_markdown(rows, "SBD", "note").endswith("note\n")


def test_memory_counts_what_lives_at_once() -> None:
    spec = ModelSpec(backbone="unet", options={"width": 4, "depth": 2}, embedding_dim=4)
    small, large = (count(spec, [(1, 3, side, side)]) for side in (64, 128))
    weights = 4 * small["parameters"]
    assert large["macs"] == 4 * small["macs"]
    assert large["memory"] - weights == pytest.approx(4 * (small["memory"] - weights), rel=0.05)
    plane = 4 * 64 * 64  # bytes of one float32 map at full size
    assert 6 * plane < small["memory"] - weights < 40 * plane


def test_numbers_have_units() -> None:
    assert [short(v) for v in (7, 7682, 1.9e6, 1e12)] == ["7", "7.68 k", "1.9 M", "1 T"]


def test_frontier_leaves_out_what_is_beaten() -> None:
    points = [Point("a", 1, 0.5), Point("b", 2, 0.4), Point("c", 2, 0.6), Point("d", 3, 0.6)]
    assert [p.name for p in frontier(points)] == ["a", "c"]
    assert [p.name for p in frontier(points, abs)] == ["a", "b"], "where less is better"


def test_the_picture_joins_those_that_the_table_calls_better(
    compared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, drawn = shutil.copytree(compared, tmp_path / "out"), []
    monkeypatch.setattr(
        "embedseg.comparison.run.plot_tradeoff", lambda *_, rank, **__: drawn.append(rank)
    )
    for metric in ("SBD", "|DiC|", "DiC"):
        report(out, metric, "")
    sbd, dic, signed = drawn
    assert sbd(0.9) < sbd(0.5) and dic(1.0) < dic(3.0) and signed(0.0) < signed(-1.0) < signed(2.0)


def test_names_cover_neither_discs_nor_names(tmp_path: Path) -> None:
    points = [Point(f"network-{k}", 1.0, 1.0) for k in range(9)]
    places, radii = [(x, 40.0 * y) for y in range(3) for x in (0.0, 60.0, 75.0)], [6.0] * 9
    boxes = [Box(x - r, x + r, y - r, y + r) for (x, y), r in zip(places, radii, strict=True)]
    half = LETTER * len(points[0].name) / 2
    for (x, y), (u, v) in zip(places, spots_of(points, places, radii), strict=True):
        box = Box(x + u - half, x + u + half, y + v - 5, y + v + 5)
        assert not any(box.meets(other) for other in boxes)
        boxes.append(box)


@pytest.mark.parametrize(
    ("more", "named"),
    [
        (["--batch=1"], "batch 2, where 1"),
        (["--steps", "3"], "steps_per_epoch 2, where 3"),
        (["--data.val_fraction=0.5"], "data.val_fraction 0.2, where 0.5"),
    ],
)
def test_runs_of_another_budget_are_not_put_into_one_table(
    compared: Path, scenes: Path, more: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (compared / "results.md").read_text()
    argv = [*words(scenes, compared), *more]
    argv[argv.index("--vary") + 1] = "loss.foreground={bce: 1},{bce: 2}"
    assert main(argv) == FAILED
    said = capsys.readouterr().err
    assert named in said and "choose another --out" in said
    assert (compared / "results.md").read_text() == before


def test_what_the_cells_change_is_neither_held_against_them_nor_told_of_all(
    compared: Path, scenes: Path, tmp_path: Path
) -> None:
    out = shutil.copytree(compared, tmp_path / "out")
    argv = [*words(scenes, out), "--seeds", "0", "--vary", "batch=1,2"]
    argv[argv.index("--vary") + 1] = "loss.foreground={bce: 1}"
    assert "batch 2" in (out / "results.md").read_text()
    assert main(argv) == 0
    note = (out / "results.md").read_text().splitlines()[-1]
    assert "Each run: 2 steps, working size 32, data folder:" in note and "batch" not in note
    argv = [*words(scenes, out), "--seeds", "0"]  # a cell that does not, beside those that do
    argv[argv.index("--vary") + 1] = "loss.foreground={bce: 2}"
    assert main(argv) == 0
    assert "batch" not in (out / "results.md").read_text().splitlines()[-1]
    assert {r["cell"] for r in read_results(out)} == {
        "dice", "focal", "bce, batch=1", "bce, batch=2", "2 bce",
    }  # fmt: skip


def test_a_seed_that_failed_is_told_wherever_it_stands() -> None:
    costs = dict.fromkeys(("parameters", "macs", "memory", "seconds", "network_seconds"), 1.0)
    good = {"cell": "a", "seed": 0, "scores": {"SBD": 0.5}, "costs": costs, "steps": 1,
            "train_seconds": 1.0}  # fmt: skip
    bad = {"cell": "a", "seed": 1, "failed": "the loss became nan"}
    for results in ([good, bad], [bad, good]):
        (row,) = summarise(results, "SBD")
        assert (row["failed"], row["seeds"]) == ("the loss became nan", 1)
        assert "a 1 of 2 seeds failed: the loss became nan" in to_text([row], "SBD")
    (row,) = summarise([bad], "SBD")
    assert to_text([row], "SBD").endswith("a failed: the loss became nan")


def test_metrics_are_named_in_any_case() -> None:
    names = ["sbd", "SBD", "ap50", "map", "|dic|", "dic"]
    assert [metric_name(name) for name in names] == ["SBD", "SBD", "AP50", "mAP", "|DiC|", "DiC"]


@pytest.mark.parametrize(("metric", "best"), [("DiC", "even"), ("|DiC|", "under"), ("SBD", "over")])
def test_the_best_stands_first(metric: str, best: str) -> None:
    costs = dict.fromkeys(("parameters", "macs", "memory", "seconds", "network_seconds"), 1.0)
    scores = {
        "over": {"DiC": 30.0, "|DiC|": 30.0, "SBD": 0.9},
        "even": {"DiC": 0.0, "|DiC|": 3.0, "SBD": 0.5},
        "under": {"DiC": -1.0, "|DiC|": 1.0, "SBD": 0.7},
    }
    results = [
        {"cell": k, "seed": 0, "scores": v, "costs": costs, "steps": 1, "train_seconds": 1.0}
        for k, v in scores.items()
    ]
    assert summarise(results, metric)[0]["cell"] == best
