"""LaneNet: what its heads share, what they do not, and the PReLU it trains with."""

import pytest
import torch
from torch import nn

from embedseg.models import build_network
from embedseg.models.prelu import PReLU


def touched(head: str) -> set[str]:
    """Return the parts of the backbone whose weights a head's output depends on."""
    net = build_network("lanenet", embedding_dim=4, coordinates=False, seed_head=True)
    net(torch.randn(1, 3, 32, 48))[head].square().mean().backward()
    names = (key for key, p in net.backbone.named_parameters() if p.grad is not None)
    return {".".join(key.split(".")[: 3 if key.startswith("ends") else 1]) for key in names}


def test_stages_1_and_2_are_shared_and_the_rest_is_not() -> None:
    embedding, seed, semantic = (touched(head) for head in ("embedding", "seed", "semantic"))
    shared = embedding & semantic
    assert shared == {"first", "first_norm", "first_act", "down1", "stage1", "down2", "stage2"}
    assert embedding == seed
    assert {f"ends.1.{part}" for part in ("stage3", "up4", "up5")} <= semantic - shared
    assert {f"ends.0.{part}" for part in ("stage3", "up4", "up5")} <= embedding - shared


def test_the_learned_decoder_serves_both_branches() -> None:
    net = build_network("lanenet", embedding_dim=4, decoder="learned", output_stride=1)
    out = net(torch.randn(1, 3, 32, 48))
    sum(v.square().mean() for v in out.values()).backward()
    assert all(p.grad is not None for p in net.backbone.parameters())
    assert out["semantic"].shape == (1, 1, 32, 48)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_prelu_is_that_of_torch(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 5, 6, 7, dtype=dtype)
    ours, theirs = PReLU().to(dtype), nn.PReLU().to(dtype)
    for layer in (ours, theirs):
        layer.weight.data.fill_(-0.3)
    inputs = [x.clone().requires_grad_() for _ in range(2)]
    outs = [layer(i) for layer, i in zip((ours, theirs), inputs, strict=True)]
    for out in outs:
        (out * out).sum().backward()
    close = {"rtol": 0.02, "atol": 0.02} if dtype == torch.bfloat16 else {}
    torch.testing.assert_close(outs[0], outs[1], **close)
    torch.testing.assert_close(inputs[0].grad, inputs[1].grad, **close)
    torch.testing.assert_close(ours.weight.grad, theirs.weight.grad, **close)
    assert ours.state_dict().keys() == theirs.state_dict().keys()
