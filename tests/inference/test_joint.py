"""Views and models joined: every part lies where it should, distances and probabilities average."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch

from embedseg import load
from embedseg.cli import main
from embedseg.inference.joint import join, joint_outputs, linear, nearest
from embedseg.inference.spec import ModelSpec
from embedseg.inference.views import VIEWS, look, unlook
from embedseg.io import InputError
from tests.scenes import discs

SPEC = ModelSpec(backbone="unet", embedding_dim=3)


def colours(batch: torch.Tensor) -> dict[str, torch.Tensor]:
    """A network whose embedding of a pixel is its colour, and that trusts the left of a picture."""
    trust = torch.linspace(3, -3, batch.shape[-1]).expand(len(batch), 1, *batch.shape[2:])
    return {
        "embedding": batch.float() / 255,
        "semantic": trust,
        "seed": 2 * trust,
        "centre": -trust,
    }


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (20, 31, 3)).astype(np.uint8)


@pytest.mark.parametrize("view", VIEWS["d4"])
def test_a_view_is_undone(view: tuple[int, bool]) -> None:
    x = torch.arange(2 * 3 * 5).reshape(2, 3, 5)
    assert torch.equal(unlook(look(x, view), view), x)


def test_views_differ_and_flips_are_flips() -> None:
    x = torch.arange(9).reshape(3, 3)
    assert len({tuple(look(x, v).ravel().tolist()) for v in VIEWS["d4"]}) == 8
    flips = {tuple(look(x, v).ravel().tolist()) for v in VIEWS["flips"]}
    assert flips == {tuple(y.ravel().tolist()) for y in (x, x.flip(0), x.flip(1), x.flip(0, 1))}


@pytest.mark.parametrize("tta", VIEWS)
def test_parts_are_aligned(picture: np.ndarray, tta: str) -> None:
    count = len(VIEWS[tta])
    outputs = joint_outputs(picture, [(colours, SPEC)], tta=tta)
    expected = torch.from_numpy(picture).permute(2, 0, 1).float() / 255 / math.sqrt(count)
    assert outputs["embedding"].shape == (3 * count, 20, 31)
    for part in outputs["embedding"].split(3):
        assert torch.allclose(part, expected, atol=1e-6)


def test_probabilities_average_over_flips(picture: np.ndarray) -> None:
    """Trust falls from left to right in every view, so the flips' mean is symmetric."""
    for key in ("semantic", "seed", "centre"):
        one = torch.sigmoid(joint_outputs(picture, [(colours, SPEC)])[key])
        both = torch.sigmoid(joint_outputs(picture, [(colours, SPEC)], tta="flips")[key])
        assert torch.allclose(both, (one + one.flip(-1)) / 2, atol=1e-5)


def test_joint_distance_is_the_mean_square_of_distances() -> None:
    generator = torch.Generator().manual_seed(0)
    parts = [
        {"embedding": torch.randn(dim, 4, 5, generator=generator), "semantic": torch.zeros(1, 4, 5)}
        for dim in (2, 3, 7)
    ]
    vectors = join(parts, (4, 5))["embedding"].flatten(1).T
    squared = torch.cdist(vectors, vectors) ** 2
    wanted = sum(torch.cdist(v, v) ** 2 for v in (p["embedding"].flatten(1).T for p in parts)) / 3
    assert torch.allclose(squared, wanted, atol=1e-4)


def test_several_classes_average_as_a_softmax() -> None:
    logits = [torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(k)) for k in (1, 2)]
    parts = [{"embedding": torch.zeros(1, 4, 5), "semantic": x} for x in logits]
    p = torch.softmax(join(parts, (4, 5))["semantic"], 0)
    assert torch.allclose(p, sum(torch.softmax(x, 0) for x in logits) / 2, atol=1e-5)


def test_scales_and_strides_come_to_the_first_grid(picture: np.ndarray) -> None:
    def coarse(batch: torch.Tensor) -> dict[str, torch.Tensor]:
        return {k: v[..., ::2, ::2] for k, v in colours(batch).items()}

    spec = replace(SPEC, output_stride=2)
    outputs = joint_outputs(picture, [(coarse, spec)], tta="d4", scales=(0.8, 1.0, 1.5))
    assert outputs["embedding"].shape == (3 * 8 * 3, 10, 16)
    flat = joint_outputs(np.full((20, 31, 3), 60, np.uint8), [(coarse, spec)], scales=(0.7, 1))
    assert torch.allclose(flat["embedding"] * math.sqrt(2), torch.tensor(60 / 255), atol=1e-6)


@pytest.mark.parametrize(
    ("working_size", "scale", "shape"),
    [
        (0, 0.5, (10, 16)),  # half of 20 x 31
        (0, 0.01, (1, 1)),
        (62, 0.75, (30, 46)),
        ((10, 31), 0.5, (5, 16)),
        ((10, 30), 0.01, (1, 1)),
    ],
)
def test_a_scale_is_of_the_working_size(
    picture: np.ndarray, working_size: int | tuple[int, int], scale: float, shape: tuple[int, int]
) -> None:
    seen = []

    def shown(batch: torch.Tensor) -> dict[str, torch.Tensor]:
        seen.append(tuple(batch.shape[2:]))
        return colours(batch)

    spec = replace(SPEC, working_size=working_size)
    alone = joint_outputs(picture, [(shown, spec)], scales=(scale,))
    assert seen == [shape] and alone["embedding"].shape[1:] == shape, "on its own grid"
    brought = joint_outputs(picture, [(shown, spec)], scales=(scale,), keep_grid=False)
    full = joint_outputs(picture, [(shown, spec)])
    assert {v.shape[1:] for v in brought.values()} == {v.shape[1:] for v in full.values()}


def test_margins_of_another_model_are_scaled_to_the_first(picture: np.ndarray) -> None:
    wide = replace(SPEC, delta_v=1.0, delta_d=3.0)
    a, b = joint_outputs(picture, [(colours, SPEC), (colours, wide)])["embedding"].split(3)
    assert torch.allclose(b, a / 2)


def test_what_cannot_be_joined_is_refused(picture: np.ndarray) -> None:
    with pytest.raises(ValueError, match="1 and 3 classes"):
        joint_outputs(picture, [(colours, SPEC), (colours, replace(SPEC, classes=3))])
    with pytest.raises(ValueError, match="did you mean 'flips'"):
        joint_outputs(picture, [(colours, SPEC)], tta="flip")
    with pytest.raises(ValueError, match="scales must be positive"):
        replace(SPEC, tta_scales=(1.0, 0.0))

    def odd(batch: torch.Tensor) -> dict[str, torch.Tensor]:
        return colours(batch) | {"depth": batch[:, :1].float()}

    with pytest.raises(ValueError, match="'depth' cannot be joined"):
        joint_outputs(picture, [(odd, SPEC)], tta="flips")

    def broken(batch: torch.Tensor) -> dict[str, torch.Tensor]:
        return {k: v * math.nan for k, v in colours(batch).items()}

    with pytest.raises(InputError, match="not finite"):
        joint_outputs(picture, [(broken, SPEC)], tta="flips")


def test_a_model_joined_with_itself_finds_the_same(tiny_run: Path) -> None:
    image, truth = discs(3)
    one = load(tiny_run, device="cpu").segment(image)
    twice = load([tiny_run, tiny_run], device="cpu").segment(image)
    flips = load(tiny_run, device="cpu", tta="flips").segment(image)
    assert np.array_equal(one.labels, twice.labels)
    assert (one.labels.max(), twice.labels.max(), flips.labels.max()) == (truth.max(),) * 3
    assert flips.embedding.shape[0] == 4 * one.embedding.shape[0]


def test_on_the_command_line(tiny_run: Path, scenes: Path, tmp_path: Path) -> None:
    image, out = str(scenes / "images" / "scene0.png"), tmp_path / "out"
    words = ["predict", str(tiny_run), image, "--out", str(out), "--device=cpu", "--tta", "flips"]
    assert main([*words, "--scales", "1", "1.25", "--ensemble", str(tiny_run)]) == 0
    assert tifffile.imread(out / "scene0_labels.tif").max() == discs(0)[1].max()
    scores = tmp_path / "s.json"
    words = ["evaluate", str(tiny_run), "--data", f"folder:{scenes}", "--tta", "d4", "--device=cpu"]
    assert main([*words, "--json", str(scores)]) == 0
    assert json.loads(scores.read_text())["summary"]["SBD"] > 0.5


def test_an_embedding_on_another_grid_is_of_the_nearest_middle() -> None:
    row = torch.arange(5.0).expand(1, 5, 5)
    assert nearest(row, (5, 2))[0, 0].tolist() == [1, 3]
    assert nearest(row, (10, 10))[0, 0].tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]


def test_a_probability_on_a_coarser_grid_is_that_of_all_its_pixels() -> None:
    one_of_four = (torch.arange(32) % 4 == 0).float().expand(1, 32, 32)
    assert linear(one_of_four, (8, 8))[0, 2:-2, 2:-2].numpy() == pytest.approx(0.25, abs=0.05)
    assert linear(one_of_four, (32, 32)) is one_of_four
