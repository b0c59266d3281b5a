"""What the losses with inputs of their own promise: gradients, half precision, permutations."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from embedseg.losses import (
    border_loss,
    category_consistent_loss,
    consistency_loss,
    deep_supervision,
    dice_loss,
    discriminative_loss,
    semantic_encoding_loss,
)
from tests.losses.loss_scenes import instance_scene, random_scene

Z1 = random_scene(1)[0]
Z4, Y4 = random_scene(4)
IDS = instance_scene()
TEACHER = (Z4.flip(3) * 0.7).bfloat16().double()  # the same number in every dtype
# name: (input that has a gradient, the loss as a function of it and of the labels' order)
CASES: dict[str, tuple[Tensor, Callable[[Tensor], Tensor]]] = {
    "border": (Z1, lambda z: border_loss(z, IDS, width=3)),
    "category_consistent": (2 * Z4, lambda z: category_consistent_loss(z, Y4).total),
    "consistency": (Z4, lambda z: consistency_loss(z, TEACHER.to(z.dtype))),
    "deep_supervision": (
        Z4,
        lambda z: deep_supervision([z, z[:, :, ::2, ::2]], Y4, dice_loss, weights=[1, 0.4])[0],
    ),
    "discriminative": (2 * Z4, lambda z: discriminative_loss(z, IDS).total),
    "semantic_encoding": (Z4.mean((2, 3)), lambda z: semantic_encoding_loss(z, Y4)),
}


@pytest.mark.parametrize("name", CASES)
def test_gradient(name: str) -> None:
    start, loss = CASES[name]
    z = start.clone().requires_grad_()
    assert torch.autograd.gradcheck(loss, z, eps=1e-6, atol=1e-5, fast_mode=True)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("name", CASES)
def test_half_precision(name: str, dtype: torch.dtype) -> None:
    """Extreme inputs give finite values and gradients, and sums run in float32."""
    start, loss = CASES[name]
    extreme = (start.sign() * 50).to(dtype).requires_grad_()
    with torch.autocast("cpu", dtype=dtype):
        value = loss(extreme)
    value.backward()
    assert value.dtype == torch.float32 and value.isfinite()
    assert extreme.grad is not None and extreme.grad.isfinite().all()
    rounded = start.to(dtype)
    with torch.autocast("cpu", dtype=dtype):
        half = loss(rounded)
    assert float(half) == pytest.approx(float(loss(rounded.float())), rel=1e-6)


def test_order_of_pixels_and_names() -> None:
    """Pixels in another order and classes or instances under other names cost the same."""
    order = torch.randperm(42, generator=torch.Generator().manual_seed(0))
    z, y, ids = Z4.flatten(2)[..., order], Y4.flatten(1)[:, order], IDS.flatten(1)[:, order]
    renamed = torch.where(ids > 0, 1000 - 3 * ids, ids)
    pairs = [
        (consistency_loss(z, TEACHER.flatten(2)[..., order]), consistency_loss(Z4, TEACHER)),
        (category_consistent_loss(z, y).total, category_consistent_loss(Z4, Y4).total),
        (discriminative_loss(z, renamed).total, discriminative_loss(Z4, IDS).total),
    ]
    shuffle = torch.tensor([2, 0, 3, 1])
    presence, moved = Z4.mean((2, 3)), torch.where(y >= 0, shuffle[y.clamp(min=0)], y)
    pairs.append(
        (
            semantic_encoding_loss(presence[:, shuffle.argsort()], moved),
            semantic_encoding_loss(presence, Y4),
        )
    )
    pairs.append((category_consistent_loss(z, moved).total, category_consistent_loss(z, y).total))
    for found, expected in pairs:
        assert float(found) == pytest.approx(float(expected), rel=1e-9)
    names = torch.where(IDS > 0, 1000 - 3 * IDS, IDS)
    assert torch.equal(border_loss(Z1, names, width=3), border_loss(Z1, IDS, width=3))
