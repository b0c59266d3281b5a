"""The centre head's loss: values by hand, gradients, ignored pixels, images without objects."""

import math

import pytest
import torch

from embedseg.losses.centre import centre_loss


def by_hand(logits, target):
    total = 0.0
    for image, wanted in zip(logits[:, 0], target, strict=True):
        value, centres = 0.0, 0
        for z, t in zip(image.flatten().tolist(), wanted.flatten().tolist(), strict=True):
            p = 1 / (1 + math.exp(-z))
            if t == 1:
                value, centres = value + (1 - p) ** 2 * math.log(p), centres + 1
            elif t >= 0:
                value += (1 - t) ** 4 * p**2 * math.log(1 - p)
        total -= value / max(1, centres)
    return total / len(logits)


@pytest.fixture
def example():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 1, 6, 7, generator=generator, dtype=torch.float64)
    target = torch.rand(3, 6, 7, generator=generator).clamp(max=0.99)
    target[0, 2, 3] = target[0, 5, 1] = target[1, 0, 0] = 1.0  # the third image has no object
    target[1, 3:] = -1.0
    return logits, target


def test_value_by_hand(example):
    logits, target = example
    assert centre_loss(logits, target).item() == pytest.approx(by_hand(logits, target), rel=1e-6)


def test_gradient(example):
    logits, target = example
    logits = logits.requires_grad_()
    assert torch.autograd.gradcheck(lambda z: centre_loss(z, target), logits)
    (slope,) = torch.autograd.grad(centre_loss(logits, target), logits)
    assert (slope[1, 0, 3:] == 0).all()
    assert slope[0, 0, 2, 3] < 0 < slope[0, 0, 0, 0]


def test_the_right_map_costs_nothing_and_half_precision_is_read_as_single(example):
    _, target = example
    sure = torch.where(target == 1, 20.0, -20.0)[:, None]
    assert centre_loss(sure, target) < 1e-6
    assert centre_loss(-sure, target) > 5
    half = centre_loss(sure.bfloat16(), target)
    assert half.dtype == torch.float32


def test_images_weigh_the_same_however_the_batch_is_split(example):
    logits, target = example
    parts = [centre_loss(logits[k : k + 1], target[k : k + 1]) for k in range(3)]
    torch.testing.assert_close(centre_loss(logits, target), torch.stack(parts).mean())
