"""The scripts of the leaf recipe on generated plants laid out like CVPPP, with tiny trainings."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from embedseg.data import open_dataset
from embedseg.io import InputError, read_image, write_labels
from scripts.ablation_leaves import CELLS, ablate, main, named
from scripts.leaf_folds import describe_groups, write_folds
from scripts.leaf_worst import told
from scripts.reproduce_cvppp import PUBLISHED, reproduce

TINY = [
    "--epochs=1", "--steps-per-epoch=2", "--batch=2", "--amp=off", "--device=cpu", "--threads=1",
    "--data.working_size=32", "--augment.size=32", "--network.options={width: 4, depth: 2}",
    "--network.embedding_dim=4", "--network.init=",
]  # fmt: skip


@pytest.fixture(scope="module")
def plants(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six pictures of three plants."""
    folder = tmp_path_factory.mktemp("cvppp") / "A1"
    folder.mkdir()
    names = [f"plant{number:03}" for number in range(6)]
    for name, sample in zip(
        names, open_dataset("leaves:6,4,size=48,leaves=3-4,reach=58-70"), strict=True
    ):
        Image.fromarray(sample.image).save(folder / f"{name}_rgb.png")
        write_labels(folder / f"{name}_label.png", sample.labels)
    groups = [names[:2], names[2:4], names[4:]]
    (folder / "plant_groups.json").write_text(json.dumps(groups))
    return folder


def test_no_plant_is_in_both_lists(plants: Path, tmp_path: Path) -> None:
    folds = write_folds(f"cvppp:{plants}", 3, tmp_path)
    held = [set(validation.read_text().split()) for _, validation in folds]
    assert sorted(map(sorted, held)) == [
        ["plant000", "plant001"], ["plant002", "plant003"], ["plant004", "plant005"],
    ]  # fmt: skip
    for (training, _), part in zip(folds, held, strict=True):
        assert len(part | set(training.read_text().split())) == 6
        assert not part & set(training.read_text().split())
    assert "3 groups" in describe_groups(f"cvppp:{plants}", 3)
    assert "no plant_groups" in describe_groups("leaves:4", 2)


def test_folds_are_trained_scored_and_kept(plants: Path, tmp_path: Path) -> None:
    text = reproduce(f"cvppp:{plants}", tmp_path, folds=2, base=TINY)
    assert all(row[0] in text for row in PUBLISHED) and "88.13" in text
    assert text.count("| ours |") == 2 and "6 never seen" in text and "all parts scored" in text
    parts = [json.loads((tmp_path / f"fold{k}" / "scores.json").read_text()) for k in range(2)]
    mean = sum(100 * part["predicted"]["SBD"] for part in parts) / 2
    assert f"| ours | {mean:.1f} ±" in text
    assert all(part["true"]["FgBgDice"] in (0, pytest.approx(1)) for part in parts), (
        "given, or no leaf"
    )
    worst = min(row["SBD"] for row in rows_of(tmp_path))
    assert text.count("\n| plant") == 5 and f" | {100 * float(worst):.1f} | " in text
    assert read_image(tmp_path / "worst.png").shape[0] > 5 * 400
    kept = (tmp_path / "fold0" / "run" / "metrics.csv").stat().st_mtime_ns
    (tmp_path / "fold1" / "scores.json").unlink()
    assert reproduce(f"cvppp:{plants}", tmp_path, folds=2, base=TINY) == text
    assert (tmp_path / "fold0" / "run" / "metrics.csv").stat().st_mtime_ns == kept
    assert (tmp_path / "table.md").read_text() == text

    with pytest.raises(InputError, match=r"fold0/train\.txt lists other pictures, of an earlier"):
        reproduce(f"cvppp:{plants}", tmp_path, folds=3, base=TINY)
    with pytest.raises(InputError, match="fold0/run: was trained with other options; choose anoth"):
        reproduce(f"cvppp:{plants}", tmp_path, folds=2, base=[*TINY, "--seed=1"])
    lists = (None, tmp_path / "fold0" / "val.txt")
    run = tmp_path / "fold0" / "run"
    given = reproduce(f"cvppp:{plants}", tmp_path / "given", lists=lists, run=run)
    assert f"{100 * parts[0]['predicted']['SBD']:.1f}" in given and "one split" in given
    with pytest.raises(InputError, match="holds the scores of"):
        reproduce(f"cvppp:{plants}", tmp_path / "given", lists=lists, run=tmp_path / "fold1/run")
    other = (None, tmp_path / "fold1" / "val.txt")
    with pytest.raises(InputError, match=r"val\.txt lists other pictures, of an earlier call"):
        reproduce(f"cvppp:{plants}", tmp_path / "given", lists=other, run=run)
    learned = (None, tmp_path / "fold0" / "train.txt")
    with pytest.raises(
        InputError, match=r"fold0/run: was trained on 2 of the 2 pictures in .*rain"
    ):
        reproduce(f"cvppp:{plants}", tmp_path / "learned", lists=learned, run=run)
    with pytest.raises(ValueError, match="give --folds K"):
        reproduce(f"cvppp:{plants}", tmp_path / "nothing", lists=lists)


def rows_of(out: Path) -> list[dict[str, str]]:
    """Return the rows of the tables of all folds, predicted foreground."""
    rows = []
    for table in out.glob("fold*/predicted_foreground.csv"):
        with table.open(newline="") as file:
            rows += [row for row in csv.DictReader(file) if row["image"].startswith("plant")]
    return rows


def test_the_worst_are_told_in_numbers() -> None:
    truth = np.zeros((40, 40), np.int32)
    truth[:10, :10], truth[:10, 10:30], truth[30:, :5] = 1, 2, 3
    found = np.where((truth == 1) | (truth == 2), 1, 0).astype(np.int32)  # the third is missed
    assert told(found, truth) == "3 | 1 | 1 | 2 | 50, 100, 200"
    assert told(truth, truth) == "3 | 3 | 0 | 0 | "


@pytest.mark.parametrize(
    ("words", "sentence"),
    [(["--only", "7"], "folds are numbered 0 to 2, got --only [7]"), (["--cells", "x"], "unknown")],
)
def test_a_slip_is_one_sentence(
    plants: Path,
    words: list[str],
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    always = ["ablation_leaves.py", f"cvppp:{plants}", "--folds", "3", "--out", str(tmp_path / "a")]
    monkeypatch.setattr("sys.argv", [*always, *words])
    with pytest.raises(SystemExit, match="1"):
        main()
    assert capsys.readouterr().err.startswith(sentence)
    assert not (tmp_path / "a").exists()


@pytest.mark.slow
def test_ablation_stands_beside_the_recipe(plants: Path, tmp_path: Path) -> None:
    chosen = {"folds": 3, "only": [1], "steps": 2, "base": TINY}
    first = ablate(f"cvppp:{plants}", tmp_path, cells=["recipe"], **chosen)
    assert "| no EMA |" not in first
    text = ablate(f"cvppp:{plants}", tmp_path, cells=["no EMA"], **chosen)
    rows = {line.split(" | ")[0].strip("| "): line.split(" | ") for line in text.splitlines()}
    gain = float(rows["no EMA"][1]) - float(rows["recipe"][1])
    assert float(rows["no EMA"][2]) == pytest.approx(gain, abs=2e-3)
    assert rows["recipe"][2].strip() == "" and rows["recipe"][-1].strip("| ") == "1"
    assert "2 steps" in text and "stay together" in text
    with pytest.raises(ValueError, match="unknown cell 'no ema'"):
        ablate(f"cvppp:{plants}", tmp_path, cells=["no ema"], **chosen)


@pytest.mark.slow
def test_every_cell_can_be_built(plants: Path, tmp_path: Path) -> None:
    from embedseg.comparison.cells import Cell
    from embedseg.comparison.run import plan

    base = ["--config", "leaves", "--data", f"cvppp:{plants}"]
    cells = [Cell(name, options) for name, options in CELLS.items()]
    tasks = plan(cells, base, tmp_path, seeds=[0], minutes=1, steps=0)
    configs = {task.cell.name: task.config for task in tasks}
    assert len({str(config) for config in configs.values()}) == len(CELLS), "each changes something"
    assert configs["random weights"].network.init == "" and configs["recipe"].network.init == "leaf"
    assert named("recipe,waves 20, 60, 180,no EMA") == ["recipe", "waves 20, 60, 180", "no EMA"]
