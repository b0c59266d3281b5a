"""Tuning: its choices hold on images it did not see, and are where later commands read them."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from embedseg import load
from embedseg.cli import main
from embedseg.data import open_dataset
from embedseg.io import InputError
from embedseg.metrics import score_image
from embedseg.model import Model
from embedseg.tuning import tune
from embedseg.tuning.figures import Parts, gain, parts_of, score
from embedseg.tuning.run import refuse_test, tune_run
from embedseg.tuning.search import halves, plateau
from embedseg.tuning.space import axes_of, changes, start_of
from tests.scenes import discs


@pytest.fixture
def run(tiny_run: Path, tmp_path: Path) -> Path:
    return shutil.copytree(tiny_run, tmp_path / "run")


@pytest.fixture
def quick_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty file for a picture that the test does not look at: drawing takes a second."""
    monkeypatch.setattr(
        "embedseg.tuning.run.plot_landscape", lambda _, path, **__: path.write_bytes(b"")
    )


def spoilt(run: Path, **values: object) -> Model:
    """The run's model with a bad setting as its own."""
    from dataclasses import replace

    model = Model.load(run / "weights" / "best.safetensors", device="cpu", amp="off")
    model.spec = replace(model.spec, **values)
    return model


def test_a_bad_setting_is_mended_also_on_held_out_images(run: Path, scenes: Path) -> None:
    model = spoilt(run, min_size=500)  # the discs have 370 pixels
    found = tune(model, open_dataset(f"folder:{scenes}"), quick=True)
    assert found.chosen["min_size"] < 371
    assert found.check is not None and found.check.mean > 0.2
    assert found.tuned > found.untuned + 0.2
    assert model.spec.min_size == 500, "the model must be left as it was"


@pytest.mark.parametrize("metric", ["sbd", "pq"])
def test_tuned_is_never_worse_than_untuned_on_the_other_half(
    run: Path, scenes: Path, metric: str
) -> None:
    data = open_dataset(f"folder:{scenes}")
    even, odd = data.subset(data.names[::2]), data.subset(data.names[1::2])
    model = spoilt(run)
    for here, there in ((even, odd), (odd, even)):
        chosen = tune(model, here, metric=metric, quick=True).chosen
        results = []
        for spec in (model.spec, model.spec.with_tuning(chosen)):
            judge = spoilt(run)
            judge.spec = spec
            rows = [score_image(s.name, judge.segment(s.image).labels, s.labels) for s in there]
            results.append(score(parts_of(rows, metric)))
        assert results[1] >= results[0] - 0.005


def test_the_command_stores_what_later_commands_use(
    run: Path, scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    others = shutil.copytree(scenes, tmp_path / "others")  # a folder that the run knows nothing of
    words = ["tune", str(run), "--data", f"folder:{others}", "--quick", "--device=cpu"]
    assert main([*words, "--tta", "none", "flips"]) == 0
    stored = json.loads((run / "tuning.json").read_text())
    assert stored["images"] == [f"scene{k}" for k in range(8)] and stored["settings"] > 10
    assert (run / "tuning.png").read_bytes()[:4] == b"\x89PNG"
    spec = load(run, device="cpu").spec
    for key, value in stored["chosen"].items():
        assert getattr(spec, key) == value
    (run / "tuning.json").write_text('{"chosen": {"min_size": 5000}}')
    assert load(run, device="cpu").segment(discs(0)[0]).labels.max() == 0
    assert main(words) == 0, "an earlier choice is not what tuning starts from"
    assert load(run, device="cpu").segment(discs(0)[0]).labels.max() > 0


@pytest.mark.usefixtures("quick_picture")
def test_test_images_are_refused(run: Path, scenes: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(scenes, tmp_path / "data")
    (folder / "test.txt").write_text("scene0\nscene1\n")
    data = f"folder:{folder}"
    with pytest.raises(InputError, match="test list"):
        refuse_test(open_dataset(data))
    outcome = tune_run(run, data=data, quick=True, device="cpu")
    assert not {"scene0", "scene1"} & set(outcome.images)
    (tmp_path / "names.txt").write_text("scene1\nscene2\n")
    with pytest.raises(InputError, match="test list"):
        tune_run(run, data=data, names=tmp_path / "names.txt", device="cpu")


def test_too_few_images_change_nothing(run: Path, scenes: Path) -> None:
    found = tune(spoilt(run, min_size=500), open_dataset(f"folder:{scenes}")[:3], quick=True)
    assert found.chosen == {} and "too few" in found.reason
    three = open_dataset(f"folder:{scenes}")[:3]
    same = tune(spoilt(run, min_size=500), three, quick=True, tta=("none", "d4"))
    assert (same.reason, same.settings) == (found.reason, found.settings), "nothing is looked at"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"x": 1}', '{"chosen": {"nosuch": 1}}'])
def test_a_damaged_choice_is_named(run: Path, text: str) -> None:
    (run / "tuning.json").write_text(text)
    with pytest.raises(InputError, match=r"tuning\.json.*tune again"):
        load(run, device="cpu")


@pytest.mark.parametrize("text", ["", "{", "a: 1", "data: 3"])
def test_damaged_settings_are_named(run: Path, text: str) -> None:
    (run / "config.yaml").write_text(text)
    with pytest.raises(InputError, match=r"config\.yaml.*--data"):
        tune_run(run, quick=True, device="cpu")


def test_no_picture_is_promised_that_is_not_drawn(
    run: Path, scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "two.txt").write_text("scene0\nscene1\nscene0\n")
    others = shutil.copytree(scenes, tmp_path / "others")
    words = ["tune", str(run), "--data", f"folder:{others}", "--quick", "--device=cpu"]
    assert main([*words, "--list", str(tmp_path / "two.txt")]) == 0
    assert not (run / "tuning.png").exists()
    assert "tuning.png" not in capsys.readouterr().out
    assert json.loads((run / "tuning.json").read_text())["images"] == ["scene0", "scene1"]


def test_an_earlier_choice_outlives_too_few_images(run: Path, scenes: Path) -> None:
    two = open_dataset(f"folder:{scenes}")[:2]
    (run / "tuning.png").write_text("of the earlier choice")
    (run / "tuning.json").write_text('{"chosen": {"min_size": 7}}')
    with pytest.raises(InputError, match=r"earlier tuning \(min_size 7\) is kept.*got 2"):
        tune_run(run, samples=two, device="cpu")
    assert load(run, device="cpu").spec.min_size == 7
    assert (run / "tuning.png").read_text() == "of the earlier choice"
    (run / "tuning.json").write_text("{}")  # no choice that could be kept
    assert "defaults kept" in tune_run(run, samples=two, device="cpu").reason
    assert not (run / "tuning.png").exists(), "a picture of another tuning"


@pytest.mark.usefixtures("quick_picture")
def test_what_a_search_replaces_is_said(run: Path, scenes: Path) -> None:
    data = open_dataset(f"folder:{scenes}")
    first = tune_run(run, samples=data, quick=True, device="cpu")
    assert "replaces" not in first.reason
    (run / "tuning.json").write_text('{"chosen": {"min_size": 5000}}')
    found = tune_run(run, samples=data, quick=True, device="cpu")
    assert found.chosen == first.chosen
    assert found.reason == f"{first.reason}; this replaces the earlier choice: min_size 5000"
    assert json.loads((run / "tuning.json").read_text())["reason"] == found.reason


@pytest.mark.usefixtures("quick_picture")
def test_images_that_the_run_was_trained_on_are_refused(
    run: Path, scenes: Path, tmp_path: Path
) -> None:
    trained, held = ((run / f"{part}.txt").read_text().split() for part in ("train", "val"))
    data = f"folder:{scenes}"
    with pytest.raises(InputError, match=rf"trained on {len(trained)} of these 8 .*val\.txt"):
        tune_run(run, data=data, quick=True, device="cpu")
    (tmp_path / "names.txt").write_text("\n".join([*held, trained[0]]))
    with pytest.raises(InputError, match=f"trained on 1 of these {len(held) + 1} images"):
        tune_run(run, data=data, names=tmp_path / "names.txt", device="cpu")
    with pytest.raises(InputError, match=f"trained on {len(trained)} of these {len(trained)} "):
        tune_run(run, names=run / "train.txt", quick=True, device="cpu")  # of the run's own data
    found = tune_run(run, data=data, names=run / "val.txt", quick=True, device="cpu")
    assert sorted(found.images) == sorted(held)


def test_a_plateau_beats_a_spike() -> None:
    scores = np.array([0.5, 0.9, 0.5, 0.5, 0.85, 0.86, 0.85])
    assert int(plateau(scores).argmax()) == 5 and int(scores.argmax()) == 1


def test_gain_and_error_of_a_mean_are_the_textbook_ones() -> None:
    a, b = np.array([0.9, 0.8, 0.7, 0.4]), np.array([0.8, 0.8, 0.5, 0.5])
    one = np.ones((4, 1))
    more, error = gain(Parts(a[:, None], one), Parts(b[:, None], one), range(4))
    assert more == pytest.approx((a - b).mean())
    assert error == pytest.approx((a - b).std(ddof=1) / 2)


def test_pooled_scores_are_those_of_the_table(scenes: Path) -> None:
    from embedseg.metrics import Scores

    rows = tuple(
        score_image(str(k), np.where(discs(k)[1] == 2, 0, discs(k)[1]), discs(k + k % 2)[1])
        for k in range(4)
    )
    summary = Scores(rows).summary
    for metric, key in (("sbd", "SBD"), ("ap50", "AP50"), ("map", "mAP"), ("pq", "PQ")):
        assert score(parts_of(rows, metric)) == pytest.approx(summary[key])


def test_halves_keep_groups_together() -> None:
    groups = [[0, 1, 2], [3], [4, 5], [6]]
    one, two = halves(groups, np.random.default_rng(0))
    assert sorted(one + two) == list(range(7))
    assert all(set(g) <= set(one) or set(g) <= set(two) for g in groups)


def test_defaults_change_nothing(run: Path) -> None:
    spec = spoilt(run).spec
    assert changes(axes_of(spec), start_of(axes_of(spec)), spec) == {}
