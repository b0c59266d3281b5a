"""What a tuning takes of a search, and why: made-up networks that know the true labels."""

import sys
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from embedseg.data import Dataset, Sample
from embedseg.inference.spec import ModelSpec
from embedseg.tuning import tune
from embedseg.tuning.judge import Judge
from embedseg.tuning.search import CrossValidation
from embedseg.tuning.space import Axis, axes_of, start_of
from embedseg.tuning.tune import Tuning, groups_of, spread
from tests.scenes import discs

MODULE = sys.modules["embedseg.tuning.tune"]  # the package has a function of this name
SPEC = ModelSpec(
    backbone="unet", embedding_dim=1, min_size=80, seed_head=True, clusterer="threshold"
)
BLIND = replace(SPEC, min_size=120)  # discs have 93 pixels


def shown(name: str) -> Sample:
    labels = discs(int(name), 32)[1].astype(np.int32)
    return Sample(np.repeat(labels[..., None], 3, 2).astype(np.uint8), labels, name=name)


DATA = Dataset([*"0123"], shown)


@pytest.fixture(autouse=True)
def two_axes(monkeypatch: pytest.MonkeyPatch) -> None:
    def some(spec: ModelSpec) -> list[Axis]:
        return [axis for axis in axes_of(spec) if axis.name in ("foreground_threshold", "min_size")]

    monkeypatch.setattr(MODULE, "axes_of", some)


class Knowing:
    """A network whose picture is its answer; `lost` says how many discs it does not see."""

    def __init__(self, spec: ModelSpec, lost: Callable[[ModelSpec], int] = lambda _: 0) -> None:
        self.spec, self.lost = spec, lost

    def outputs(self, image: np.ndarray, name: str = "") -> dict[str, torch.Tensor]:
        labels = torch.from_numpy(image[..., 0].astype(np.float32))
        sure = 20 * (labels > self.lost(self.spec)).float()[None] - 10
        return {"embedding": 5 * labels[None], "semantic": sure, "seed": sure}


def told(found: Tuning) -> tuple[dict[str, object], float, float]:
    return found.chosen, found.untuned, found.tuned


def test_nothing_is_changed_where_all_is_found() -> None:
    begun = time.monotonic()
    found = tune(Knowing(SPEC), DATA, quick=True)
    assert told(found) == ({}, 1, 1) and found.reason == "no setting is better"
    assert found.check is None and 0 < found.seconds <= time.monotonic() - begun
    assert "1.0000 on 4 images: defaults (no setting is better; " in found.describe()
    assert found.to_json()["held_out_gain"] is None and found.to_json()["held_out_gains"] == []
    sizes = next(curve for curve in found.curves if curve.axis.name == "min_size")
    assert sizes.chosen == 80 and sizes.axis.values == (20, 40, 80, 160, 320, 640)
    assert sizes.scores == (1, 1, 1, 0, 0, 0) and sizes.errors == (0,) * 6


def test_a_gain_is_taken_with_all_that_was_measured() -> None:
    model = Knowing(BLIND)
    found = tune(model, DATA, metric="ap50", quick=True)
    assert told(found) == ({"min_size": found.chosen["min_size"]}, 0, 1)
    assert found.chosen["min_size"] in (30, 60) and model.spec is BLIND
    assert found.reason == "gains on images held out from the search"
    assert found.check is not None and found.check.gains == (1,) * 4
    assert found.images == ("0", "1", "2", "3") and found.metric == "ap50"
    assert "ap50 0.0000 -> 1.0000 on 4 images, +1.0000 on images held out" in found.describe()
    stored = found.to_json()
    assert (stored["held_out_gain"], stored["held_out_gains"]) == (1, [1] * 4)


@pytest.mark.parametrize(
    ("gains", "flat", "reason"),
    [
        ((0.3, -0.1), False, "no clear gain on images held out from the search, defaults kept"),
        ((0.0, 0.0), False, "no clear gain on images held out from the search, defaults kept"),
        ((0.3, 0.2), False, "gains on images held out from the search"),
        ((0.3, 0.2), True, "no gain at the images' own size, defaults kept"),
    ],
)
def test_a_gain_must_hold_on_other_images_and_at_full_size(
    monkeypatch: pytest.MonkeyPatch, gains: tuple[float, ...], flat: bool, reason: str
) -> None:
    monkeypatch.setattr(MODULE, "cross_validate", lambda *_, **__: CrossValidation(gains))
    if flat:
        full = Judge.at_full_size
        monkeypatch.setattr(Judge, "at_full_size", lambda self, _: full(self, start_of(self.axes)))
    found = tune(Knowing(BLIND), DATA, quick=True)
    assert found.reason == reason and found.check == CrossValidation(gains)
    assert (told(found) == ({}, 0, 0)) == ("defaults" in reason)


def test_views_are_taken_if_they_gain_enough() -> None:
    plain = tune(Knowing(SPEC, lambda _: 1), DATA, quick=True)
    assert plain.chosen == {} and 0.5 < plain.tuned < 0.9
    model = Knowing(SPEC, lambda spec: int(spec.tta == "none"))
    found = tune(model, DATA, quick=True, tta=("none", "flips", "d4"))
    assert told(found) == ({"tta": "flips"}, plain.untuned, 1) and model.spec is SPEC
    gain = f"{1 - plain.tuned:+.4f}"
    assert found.reason == (
        f"no setting is better; flips gained {gain}; d4 gained +0.0000, not enough for its cost"
    )
    assert found.settings > plain.settings
    assert all(curve.scores[curve.axis.values.index(curve.chosen)] == 1 for curve in found.curves)


def test_views_come_beside_what_was_chosen_without() -> None:
    found = tune(Knowing(BLIND, lambda spec: int(spec.tta == "none")), DATA, quick=True,
                 tta=("flips",))  # fmt: skip
    assert found.chosen == {"min_size": found.chosen["min_size"], "tta": "flips"}
    assert (found.untuned, found.tuned) == (0, 1)


def test_a_model_is_left_as_it_was_by_errors_too() -> None:
    def broken(spec: ModelSpec) -> int:
        if spec.tta == "none":
            return 0
        raise RuntimeError("out of memory")

    model = Knowing(SPEC, broken)
    with pytest.raises(RuntimeError, match="out of memory"):
        tune(model, DATA, quick=True, tta=("flips",))
    assert model.spec is SPEC
    with pytest.raises(ValueError, match="did you mean 'sbd'"):
        tune(model, DATA, metric="sdb")
    with pytest.raises(ValueError, match="no image to tune on"):
        tune(model, DATA.subset([]))


def test_images_are_spread_over_the_set() -> None:
    names = [str(k) for k in range(10)]
    many = Dataset(names, shown)
    assert spread(many, 4).names == ["0", "3", "6", "9"]
    assert spread(many, 10).names == names


def test_groups_stay_together_where_they_are_enough() -> None:
    names = [*"abcdefg"]
    four = Dataset(names, shown, groups=[["c", "a"], ["b", "d"]])
    assert groups_of(four) == [[2, 0], [1, 3], [4], [5], [6]]
    three = Dataset(names[:5], shown, groups=[["c", "a"], ["b", "d"]])
    assert groups_of(three) == [[0], [1], [2], [3], [4]]
