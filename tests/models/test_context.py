"""Context blocks against slow oracles, and each of them behind a backbone."""

import pytest
import torch
from torch import Tensor

from embedseg.models import build_network
from embedseg.models.blocks import Layers
from embedseg.models.ccnet import CrissCross, criss_cross
from embedseg.models.context import CONTEXTS, THREE_DIMENSIONAL, build_context
from embedseg.models.encnet import encode
from embedseg.models.galdnet import GroupedGlobal


def randn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


def dense_criss_cross(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Full attention over all pixels, masked to the row and the column."""
    _, _, height, width = query.shape
    rows = torch.arange(height).repeat_interleave(width)
    columns = torch.arange(width).repeat(height)
    seen = (rows[:, None] == rows) | (columns[:, None] == columns)
    energy = query.flatten(2).transpose(1, 2) @ key.flatten(2)
    weights = energy.masked_fill(~seen, -torch.inf).softmax(2)
    return (value.flatten(2) @ weights.transpose(1, 2)).unflatten(2, (height, width))


@pytest.mark.parametrize("size", [(4, 6), (5, 3), (1, 7), (7, 1), (1, 1)])
def test_criss_cross_is_masked_dense_attention(size: tuple[int, int]) -> None:
    query, key, value = (randn(2, c, *size) + c / 9 for c in (3, 3, 5))
    assert torch.allclose(criss_cross(query, key, value), dense_criss_cross(query, key, value))


def test_criss_cross_starts_as_the_identity_and_twice_reaches_every_pixel() -> None:
    torch.manual_seed(0)
    block = CrissCross(8, Layers()).double()
    x = randn(1, 8, 4, 5).requires_grad_()
    assert torch.equal(block(x), x)
    with torch.no_grad():
        block.gamma.fill_(1)
    for recurrence, reached in ((1, 4 + 5 - 1), (2, 20)):
        block.recurrence = recurrence
        (grad,) = torch.autograd.grad(block(x)[0, :, 1, 2].sum(), x)
        assert int((grad.abs().sum(1) > 0).sum()) == reached


def test_encoding_is_the_papers_sum() -> None:
    points, codes = randn(2, 7, 3), randn(4, 3) * 0.5
    scales = torch.tensor([-1.0, -0.2, -0.5, -0.9], dtype=torch.float64)
    want = torch.zeros(2, 4, 3, dtype=torch.float64)
    for b in range(2):
        for i in range(7):
            energies = [scales[k] * (points[b, i] - codes[k]).square().sum() for k in range(4)]
            total = sum(torch.exp(e) for e in energies)
            for k in range(4):
                want[b, k] += torch.exp(energies[k]) / total * (points[b, i] - codes[k])
    assert torch.allclose(encode(points, codes, scales), want)


def test_grouped_global_is_the_loop_over_groups() -> None:
    torch.manual_seed(0)
    block = GroupedGlobal(32, Layers()).double()
    block.norm.eps = 1e-20  # the weights' scale then cancels
    x = randn(2, 32, 3, 4)
    t, p, g = block.t(x), block.p(x), block.g(x)
    parts = []
    for k in range(8):
        rows = slice(2 * k, 2 * k + 2)
        weight = (p[:, rows] * g[:, rows]).sum((1, 2, 3), keepdim=True)
        parts.append(weight * t[:, rows])
    want = x + block.norm(block.z(torch.cat(parts, 1)))
    assert torch.allclose(block(x), want)


@pytest.mark.parametrize("name", CONTEXTS)
def test_every_block_follows_a_backbone(name: str) -> None:
    torch.manual_seed(0)
    options = {"width": 16, "depth": 1, "norm": "group", "context": name}
    net = build_network("unet", options=options)
    out = net(torch.randn(1, 3, 13, 18))
    assert out["embedding"].shape == (1, 16, 13, 18)
    sum(v.square().mean() for v in out.values()).backward()
    for key, p in net.named_parameters():
        assert p.grad is not None, key
        assert torch.isfinite(p.grad).all(), key


@pytest.mark.parametrize("name", CONTEXTS)
def test_blocks_in_3d(name: str) -> None:
    if name in THREE_DIMENSIONAL:
        block = build_context(name, 16, Layers(ndim=3)).eval()
        assert block(torch.randn(1, 16, 3, 4, 5)).shape == (1, 16, 3, 4, 5)
    else:
        with pytest.raises(ValueError, match="has no 3D form"):
            build_context(name, 16, Layers(ndim=3))


def test_channel_attention_weighs_by_the_means_of_the_whole() -> None:
    torch.manual_seed(0)
    block, x = build_context("channel-attention", 3, Layers()), torch.randn(1, 3, 4, 5)
    whole = torch.relu(block.globally(x.mean((2, 3), keepdim=True)))
    gate = block.attend.weigh(torch.cat([x.mean((2, 3), keepdim=True), whole], 1)).sigmoid()
    torch.testing.assert_close(block(x), x * gate + whole)


def test_unknown_context_is_refused() -> None:
    with pytest.raises(ValueError, match="did you mean 'cbam'"):
        build_network("unet", options={"context": "cbamm"})
