"""What the lane scripts compute with."""

import numpy as np
import pytest
import torch

from embedseg.data.roads import roads
from embedseg.driving.hnet_run import error_px, gather
from embedseg.lanes.hnet import HNet
from scripts import benchmark_lanes
from scripts.hnet_table import median_px, plane, planes


def test_the_benchmark_sees_a_fit_that_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    benchmark_lanes.check_fit(np.random.default_rng(0))
    wrong = benchmark_lanes.fit
    monkeypatch.setattr(benchmark_lanes, "fit", lambda *given: 1.01 * wrong(*given))
    with pytest.raises(AssertionError, match="px from plain least squares"):
        benchmark_lanes.check_fit(np.random.default_rng(0))


def test_the_fixed_plane_is_the_best_of_its_kind() -> None:
    data = gather(roads(3, seed=8))
    found, f = planes(HNet().eval(), data)
    best = error_px(data, found["fixed"])
    assert best <= min(error_px(data, plane(other, 3)) for other in (-1.6, -1.2, -0.8, -0.05))
    assert best < error_px(data, found["image"]) and -2.4 <= f <= -0.05
    assert torch.equal(found["image"], torch.eye(3).expand(3, 3, 3))
    assert 0 < median_px(data, found["image"]) < 50
