"""Contrast and ground: percentiles to the ends, hue kept; dim or inverted, the same input."""

from dataclasses import replace

import numpy as np
import torch

from embedseg.data import Dataset, Sample
from embedseg.inference.normalise import on_dark_ground, stretch_contrast
from embedseg.inference.segment import run_network
from embedseg.inference.spec import ModelSpec
from embedseg.training.config import DataConfig
from embedseg.training.sources import _prepared


def picture(brightest: int) -> np.ndarray:
    ramp = np.linspace(0, brightest, 64 * 64).round().astype(np.uint8).reshape(64, 64)
    return np.stack([ramp, ramp // 2, ramp // 4], 2)


def test_percentiles_reach_the_ends_and_grey_levels_keep_their_order() -> None:
    out = stretch_contrast(picture(60))
    assert out.max() == 255
    assert out.min() == 0
    assert (np.diff(out[..., 0].ravel().astype(int)) >= 0).all()
    bright = picture(60)[..., 0] > 20
    ratio = out[bright, 1] / out[bright, 0]
    assert np.abs(ratio - 0.5).max() < 0.1  # one map for all channels


def test_one_grey_level_stays() -> None:
    flat = np.full((8, 8, 3), 37, np.uint8)
    assert np.array_equal(stretch_contrast(flat), flat)


def test_a_dim_picture_reaches_the_network_as_the_bright_one() -> None:
    seen = []

    def network(batch: torch.Tensor) -> dict[str, torch.Tensor]:
        seen.append(batch.numpy().astype(int))
        return {"embedding": batch.float()}

    spec = ModelSpec(backbone="unet", stretch=True)
    for brightest in (120, 240):
        run_network(picture(brightest), network, spec)
    assert np.abs(seen[0] - seen[1]).max() <= 4  # rounding of the dim one's grey levels
    run_network(picture(120), network, replace(spec, stretch=False))
    assert seen[2].max() == 120


def test_stained_and_fluorescent_nuclei_look_alike() -> None:
    dark = np.full((20, 20, 3), 10, np.uint8)
    dark[5:9, 5:9] = 200
    assert on_dark_ground(dark) is dark
    np.testing.assert_array_equal(on_dark_ground(255 - dark), dark)
    spec = ModelSpec(backbone="unet", dark_ground=True)
    seen = []
    for image in (dark, 255 - dark):
        run_network(image, lambda batch: seen.append(batch) or {"embedding": batch.float()}, spec)
    assert torch.equal(*seen)


def test_training_sees_the_ground_that_prediction_sees() -> None:
    bright = Sample(np.full((8, 8, 3), 250, np.uint8), np.zeros((8, 8), np.int32))
    data = Dataset(["a"], lambda name: bright)
    for dark_ground, expected in ((True, 5), (False, 250)):
        config = DataConfig(working_size=0, dark_ground=dark_ground)
        assert (_prepared(data, config)[0].image == expected).all()
