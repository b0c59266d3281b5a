"""Contrast stretching: percentiles to the ends, hue kept, the same network input in dim light."""

from dataclasses import replace

import numpy as np
import torch

from embedseg.inference.normalise import stretch_contrast
from embedseg.inference.segment import run_network
from embedseg.inference.spec import ModelSpec


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
