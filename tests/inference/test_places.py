"""Places of the method "spatial", joined over views, scales and models."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from embedseg import load
from embedseg.inference.joint import joint_outputs
from embedseg.inference.places import SIDE, Frame, frame_of, moved, straighten
from embedseg.inference.spec import ModelSpec
from embedseg.inference.views import VIEWS, look, unlook
from embedseg.models import spatial

SPEC = ModelSpec(backbone="unet", method="spatial", seed_head=True, embedding_dim=2, place_unit=4)
SPOT = (3, 17)  # row and column of the brightest pixel
SIGMA = 2.5  # pixels


def pointing(spec: ModelSpec):
    """A network that points to the brightest pixel of what it sees, with a bandwidth of SIGMA."""

    def network(batch: torch.Tensor) -> dict[str, torch.Tensor]:
        count, _, height, width = batch.shape
        step = frame_of(spec, (height, width)).step / spec.output_stride  # units of a pixel
        places, precisions = [], []
        for image in batch.float():
            row, column = divmod(int(image.sum(0).argmax()), width)
            places.append(torch.tensor([column * step, row * step]))
            sides = torch.tensor([height, width]) / min(height, width)  # knows the axes apart
            precisions.append(-2 * torch.log(sides * SIGMA * step) - math.log(2))
        grid = frame_of(spec, (height, width)).grid
        maps = [
            torch.stack(x)[:, :, None, None].expand(count, 2, *grid) for x in (places, precisions)
        ]
        trust = torch.zeros(count, 1, *grid)
        return {
            "embedding": maps[0], "log_precision": maps[1], "semantic": trust, "seed": trust + 1,
        }  # fmt: skip

    return network


@pytest.fixture
def picture() -> np.ndarray:
    image = np.zeros((20, 30, 3), np.uint8)
    image[SPOT] = 255
    return image


def in_pixels(outputs: dict[str, torch.Tensor], step: float) -> tuple[float, float]:
    """Return the row and column that all pixels point to."""
    places = outputs["embedding"].flatten(1)
    torch.testing.assert_close(places, places[:, :1].expand_as(places))
    return float(places[1, 0]) / step, float(places[0, 0]) / step


@pytest.mark.parametrize("tta", VIEWS)
@pytest.mark.parametrize("unit", [0.0, 4.0])
def test_all_views_point_to_one_place(picture: np.ndarray, tta: str, unit: float) -> None:
    spec = replace(SPEC, place_unit=unit)
    outputs = joint_outputs(picture, [(pointing(spec), spec)], tta=tta)
    assert outputs["embedding"].shape == outputs["log_precision"].shape == (2, 20, 30)
    assert in_pixels(outputs, 1 / (unit or 30 / SIDE)) == pytest.approx(SPOT, abs=1e-4)
    alone = joint_outputs(picture, [(pointing(spec), spec)])
    torch.testing.assert_close(outputs["log_precision"], alone["log_precision"])
    torch.testing.assert_close(outputs["seed"], alone["seed"])


@pytest.mark.parametrize("view", VIEWS["d4"])
def test_a_view_is_undone(view: tuple[int, bool]) -> None:
    """Places that are the pixels' own stay so, and each precision stays with its axis."""
    height, width, step = 4, 7, 0.25
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    own = torch.stack([columns, rows]).float() * step
    tall, wide = (width, height) if view[0] % 2 else (height, width)
    seen_rows, seen_columns = torch.meshgrid(torch.arange(tall), torch.arange(wide), indexing="ij")
    seen = torch.stack([seen_columns, seen_rows]).float() * step
    axes = torch.tensor([10.0, 20.0] if view[0] % 2 == 0 else [20.0, 10.0])
    maps = {"embedding": seen, "log_precision": axes[:, None, None].expand(2, tall, wide)}
    found = straighten({k: unlook(v, view) for k, v in maps.items()}, view, step)
    torch.testing.assert_close(found["embedding"], own)
    assert (found["log_precision"][0] == 10).all() and (found["log_precision"][1] == 20).all()
    assert look(torch.zeros(height, width), view).shape == (tall, wide)


def test_scales_and_strides_speak_of_the_first_frame(picture: np.ndarray) -> None:
    large = np.kron(picture, np.ones((4, 4, 1), np.uint8))  # its middle is half a pixel on
    spec = replace(SPEC, output_stride=2)
    outputs = joint_outputs(large, [(pointing(spec), spec)], scales=(1.0, 0.5), tta="flips")
    assert outputs["embedding"].shape == (2, 40, 60)
    row, column = (2 * v for v in in_pixels(outputs, 2 / 4))  # of the picture
    assert row == pytest.approx(4 * SPOT[0] + 1.5, abs=2.1)
    assert column == pytest.approx(4 * SPOT[1] + 1.5, abs=2.1)


def test_a_frame_of_another_size_moves_corners_to_corners() -> None:
    here, there = Frame((2, 3), 0.5), Frame((4, 9), 2.0)
    ends = torch.tensor([[-0.25, 1.25], [-0.25, 0.75]])[:, None]  # the corners, in units
    maps = {"embedding": ends, "log_precision": torch.zeros_like(ends)}
    found = moved(maps, here, there)
    expected = torch.tensor([[-1.0, 17.0], [-1.0, 7.0]])[:, None]
    torch.testing.assert_close(found["embedding"], expected)
    factors = torch.tensor([9 / 3 * 4, 4 / 2 * 4])
    torch.testing.assert_close(found["log_precision"][:, 0, 0], -2 * factors.log())


def test_models_of_other_units_and_sizes_are_joined(picture: np.ndarray) -> None:
    other = replace(SPEC, place_unit=0.0, working_size=60)
    outputs = joint_outputs(picture, [(pointing(SPEC), SPEC), (pointing(other), other)])
    assert in_pixels(outputs, 1 / 4) == pytest.approx(SPOT, abs=0.3)


def test_units_are_those_of_the_network() -> None:
    assert SIDE == spatial.SIDE


def test_methods_do_not_mix(picture: np.ndarray) -> None:
    plain = ModelSpec(backbone="unet", embedding_dim=2)
    with pytest.raises(ValueError, match="'spatial' and 'discriminative' cannot be joined"):
        joint_outputs(picture, [(pointing(SPEC), SPEC), (pointing(SPEC), plain)])


def test_the_shipped_model_of_nuclei_takes_views() -> None:
    image = np.full((96, 128, 3), 20, np.uint8)
    rows, columns = np.mgrid[:96, :128]
    centres = [(20, 24), (30, 70), (62, 40), (70, 100), (58, 76)]
    for row, column in centres:
        near = (rows - row) ** 2 + 1.5 * (columns - column) ** 2 < 90
        image[near] = 150
    for tta in ("none", "flips", "d4"):
        found = load("nuclei", device="cpu", tta=tta).segment(image)
        assert len(found) == len(centres)
        assert len({found.labels[c] for c in centres}) == len(centres)
