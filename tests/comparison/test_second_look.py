"""What a comparison scores, times and counts is what the model does: all of its looks."""

from dataclasses import replace
from itertools import count as counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from embedseg.comparison.costs import count, score_and_time
from embedseg.data import Dataset, open_dataset
from embedseg.evaluate import evaluate_model
from embedseg.model import Model
from tests.scenes import discs


@pytest.fixture(scope="module")
def corners(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Four pictures whose discs fill a ninth of them: at the working size they are small."""
    folder = tmp_path_factory.mktemp("corners")
    for sub in ("images", "labels"):
        (folder / sub).mkdir()
    for seed in range(4):
        image, labels = discs(seed)
        large = np.full((192, 192, 3), 25, np.uint8)
        truth = np.zeros((192, 192), np.uint8)
        large[64:128, 64:128], truth[64:128, 64:128] = image, labels
        Image.fromarray(large).save(folder / "images" / f"{seed}.png")
        Image.fromarray(truth).save(folder / "labels" / f"{seed}.png")
    return f"folder:{folder}"


def looking(run: Path, **spec: Any) -> Model:
    model = Model.load(run, device="cpu", amp="off")
    model.spec = replace(model.spec, min_size=4, **spec)
    return model


def measured(model: Model, samples: Dataset) -> tuple[dict[str, float], dict[str, float]]:
    """Return scores and costs by a clock that goes on by 1 whenever it is read."""
    ticks = counter()
    scores, costs = score_and_time(model, samples, lambda: float(next(ticks)))
    return scores.summary, costs


def test_the_score_is_that_of_evaluate(tiny_run: Path, corners: str) -> None:
    once, twice = looking(tiny_run), looking(tiny_run, zoom=1.2)
    found = [measured(model, open_dataset(corners))[0] for model in (once, twice)]
    assert found == [evaluate_model(model, corners)[0].summary for model in (once, twice)]
    assert found[1]["SBD"] > found[0]["SBD"], "the second look shows something else"


@pytest.mark.parametrize(
    ("spec", "passes", "pictures"),
    [
        ({}, 1, 1),
        ({"zoom": 1.2}, 2, 2),
        ({"tta": "flips"}, 1, 4),  # all views in one batch
        ({"tta_scales": (1.0, 1.0, 1.0)}, 3, 3),
    ],
)
def test_costs_are_of_all_passes_of_a_picture(
    tiny_run: Path, corners: str, spec: dict[str, Any], passes: int, pictures: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    model, samples, seen = looking(tiny_run, **spec), open_dataset(corners), []
    compute = model.compute
    model.compute = lambda batch: (seen.append(tuple(batch.shape)), compute(batch))[1]
    _, costs = measured(model, samples)
    assert len(seen) == passes * (1 + len(samples)), "the first picture is seen once before"
    assert costs["network_seconds"] == passes
    assert costs["seconds"] == 1 + 2 * passes
    assert sum(shape[0] for shape in seen[:passes]) == pictures
    alone = [count(model.spec, [shape]) for shape in seen[:passes]]
    assert costs["macs"] == sum(c["macs"] for c in alone)
    assert costs["memory"] == max(c["memory"] for c in alone)
    whole = count(model.spec, [(1, 3, 64, 64)])
    assert costs["macs"] == pytest.approx(pictures * whole["macs"], rel=0.2)
    assert costs["parameters"] == whole["parameters"]
