"""H-Net: the least squares against numpy, gradients, and that it learns a horizon."""

from pathlib import Path

import numpy as np
import pytest
import torch

from embedseg.io import InputError
from embedseg.lanes.hnet import (
    CLEAR,
    START_F,
    HNet,
    cleared,
    fit_errors,
    hnet_loss,
    homography,
    image_homography,
    lane_points,
    load_hnet,
    save_hnet,
)
from embedseg.lanes.polylines import lanes_of


def slow_errors(points: np.ndarray, mask: np.ndarray, h: np.ndarray, degree: int) -> np.ndarray:
    """The paper's formulas for one lane, in plain numpy."""
    out = np.zeros(len(points))
    p = np.c_[points[mask], np.ones(mask.sum())] @ h.T
    x, y = p[:, 0] / p[:, 2], p[:, 1] / p[:, 2]
    w = np.polyfit(y, x, degree)
    fit = np.c_[np.polyval(w, y), y, np.ones(len(y))] @ np.linalg.inv(h).T
    out[mask] = np.abs(fit[:, 0] / fit[:, 2] - points[mask, 0])
    return out


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_fit_equals_numpy_lane_by_lane(degree: int) -> None:
    rng = np.random.default_rng(degree)
    points = np.stack([rng.uniform(-0.5, 0.5, (2, 3, 12)), rng.uniform(0, 0.7, (2, 3, 12))], -1)
    mask = rng.random((2, 3, 12)) < 0.8
    h = np.array(
        [[[1.3, 0.2, -0.1], [0, 0.9, 0.3], [0, -1.1, 1]], [[1, 0, 0], [0, 1, 0], [0, 0, 1]]]
    )
    got = fit_errors(torch.tensor(points), torch.tensor(mask), torch.tensor(h), degree=degree)
    for b in range(2):
        for lane in range(3):
            want = slow_errors(points[b, lane], mask[b, lane], h[b], degree)
            np.testing.assert_allclose(got[b, lane], want, atol=1e-5)


def test_gradient_reaches_the_horizon_and_is_right() -> None:
    torch.manual_seed(0)
    points = torch.rand(1, 2, 9, 2, dtype=torch.float64) * 0.6
    mask = torch.ones(1, 2, 9, dtype=torch.bool)
    f = torch.tensor(-1.0, dtype=torch.float64, requires_grad=True)

    def loss(f: torch.Tensor) -> torch.Tensor:
        h = torch.eye(3, dtype=torch.float64)[None].clone()
        h[0, 2, 1] = f
        return hnet_loss(points, mask, h)

    assert torch.autograd.gradcheck(loss, (f,))
    assert loss(f).item() > 0


def test_only_the_horizon_changes_the_fit() -> None:
    points = torch.rand(4, 3, 20, 2, generator=torch.Generator().manual_seed(1)) * 0.7
    mask = torch.ones(4, 3, 20, dtype=torch.bool)
    plain = homography(torch.zeros(4, 6))
    moved = homography(torch.tensor([[0.3, -0.7, 0.4, -0.2, 0.9, 0.0]]).expand(4, 6))
    errors = [fit_errors(points, mask, h) for h in (plain, moved)]
    torch.testing.assert_close(errors[0], errors[1], atol=1e-4, rtol=1e-3)


def test_no_lane_is_no_loss_with_a_gradient() -> None:
    net = HNet()
    h = net(torch.zeros(2, 3, 64, 128, dtype=torch.uint8))
    points, mask = lane_points(lanes_of([], (10, 10)))
    loss = hnet_loss(points.expand(2, -1, -1, -1), mask.expand(2, -1, -1), h)
    loss.backward()
    assert loss.item() == 0
    assert all(torch.isfinite(p.grad).all() for p in net.parameters() if p.grad is not None)


def test_lane_points_are_normalised() -> None:
    points, mask = lane_points(lanes_of([[(639.5, 0), (639.5, 719)]], (720, 1280)), rows=72)
    assert points[0, mask[0], 0].abs().max() < 1e-6
    assert points[0, 0, 1] == pytest.approx(1 - 5 / 720) and mask.sum() == 72
    tallest, mask = lane_points(
        lanes_of([[(i, 0), (i, 10 * i)] for i in range(1, 5)], (50, 50)), max_lanes=2
    )
    assert tallest[:, 2, 0].tolist() == pytest.approx([4.5 / 50 - 0.5, 3.5 / 50 - 0.5])


def test_pixel_homography_agrees_with_the_normalised_one() -> None:
    net = HNet().eval()
    image = np.zeros((72, 128, 3), np.uint8)
    h = image_homography(net, image)
    p = h @ (63.5, 71.5, 1.0)  # the middle of the bottom edge is the origin
    np.testing.assert_allclose(p[:2] / p[2], 0, atol=1e-9)
    assert p[2] == pytest.approx(1)


def test_the_horizon_is_raised_above_lanes_and_never_lowered() -> None:
    h = homography(torch.zeros(2, 6))
    top = torch.tensor([0.9, 0.3])
    raised = cleared(h, top)
    assert raised[0, 2, 1] * top[0] + 1 == pytest.approx(CLEAR, abs=1e-6)
    torch.testing.assert_close(raised[1], h[1])
    assert h[0, 2, 1] == pytest.approx(START_F)
    points = torch.zeros(1, 1, 40, 2)
    points[..., 1] = torch.linspace(0, 0.9, 40)
    points[..., 0] = 0.4 * points[..., 1]
    points[..., 0] += 0.02 / (1 - points[..., 1])
    mask = torch.ones(1, 1, 40, dtype=torch.bool)
    beyond, clear = (float(hnet_loss(points, mask, each)) for each in (h[:1], raised[:1]))
    assert clear < 0.5 * beyond
    net, image = HNet().eval(), np.zeros((72, 128, 3), np.uint8)
    at_top = image_homography(net, image, 5.0) @ (30.0, 5.0, 1.0)
    assert at_top[2] == pytest.approx(CLEAR) and image_homography(net, image)[2] @ (30, 5, 1) < 0


def test_weights_round_trip_and_foreign_files(tmp_path: Path) -> None:
    net = HNet()
    torch.nn.init.normal_(net.numbers[-1].weight)
    save_hnet(net, tmp_path / "h.safetensors")
    again = load_hnet(tmp_path / "h.safetensors")
    picture = torch.randint(0, 255, (2, 3, 64, 128), dtype=torch.uint8)
    torch.testing.assert_close(again(picture), net.eval()(picture))
    (tmp_path / "bad.safetensors").write_bytes(b"nothing of the kind")
    with pytest.raises(InputError, match="not the weights of an H-Net"):
        load_hnet(tmp_path / "bad.safetensors")
    with pytest.raises(InputError, match="no such file"):
        load_hnet(tmp_path / "none")


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="degree must be >= 1"):
        fit_errors(torch.zeros(1, 1, 2, 2), torch.ones(1, 1, 2), torch.eye(3)[None], degree=0)
    with pytest.raises(ValueError, match="size"):
        lane_points(lanes_of([[(1, 1), (2, 2)]]))


def test_points_outside_the_picture_take_no_part() -> None:
    _, mask = lane_points(lanes_of([[(-400, 0), (400, 100)]], (100, 200)), rows=100)
    assert mask[0].tolist() == [50 <= row < 75 for row in range(100)]
