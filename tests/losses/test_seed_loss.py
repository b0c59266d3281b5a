"""The seed head's loss against plain loops, and its edge cases."""

import math

import pytest
import torch

from embedseg.losses.seed import seed_loss


def scene() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    labels = torch.zeros(2, 6, 7, dtype=torch.long)
    labels[0, :2, :3], labels[0, 4:, 4:], labels[0, 5, 0], labels[1, 1:3, :] = 3, 9, -1, 4
    seed = torch.randn(2, 1, 6, 7, generator=generator)
    return seed, torch.randn(2, 3, 6, 7, generator=generator), labels


def by_loops(seed, embedding, labels, delta_v: float) -> float:
    images = []
    for b in range(len(labels)):
        instances = []
        for number in sorted({int(v) for v in labels[b].flatten()} - {0, -1}):
            pixels = [tuple(p) for p in (labels[b] == number).nonzero().tolist()]
            mean = [
                sum(float(embedding[b, e, r, c]) for r, c in pixels) / len(pixels)
                for e in range(embedding.shape[1])
            ]
            errors = []
            for r, c in pixels:
                squared = sum((float(embedding[b, e, r, c]) - m) ** 2 for e, m in enumerate(mean))
                target = math.exp(-squared / (2 * delta_v**2))
                guess = 1 / (1 + math.exp(-float(seed[b, 0, r, c])))
                errors.append((guess - target) ** 2)
            instances.append(sum(errors) / len(errors))
        images.append(sum(instances) / len(instances))
    return sum(images) / len(images)


@pytest.mark.parametrize("delta_v", [0.5, 1.3])
def test_equals_plain_loops(delta_v: float) -> None:
    seed, embedding, labels = scene()
    value = seed_loss(seed, embedding, labels, delta_v=delta_v)
    assert float(value) == pytest.approx(by_loops(seed, embedding, labels, delta_v), rel=1e-5)


def test_no_gradient_reaches_the_embedding() -> None:
    seed, embedding, labels = scene()
    seed.requires_grad_(), embedding.requires_grad_()
    seed_loss(seed, embedding, labels).backward()
    assert embedding.grad is None
    assert torch.isfinite(seed.grad).all() and (seed.grad[:, 0][labels <= 0] == 0).all()


def test_nothing_gives_zero_attached() -> None:
    seed, embedding, labels = scene()
    value = seed_loss(seed.requires_grad_(), embedding, labels.clamp(max=0))
    value.backward()
    assert value == 0 and (seed.grad == 0).all()


def test_bad_margin_is_refused() -> None:
    with pytest.raises(ValueError, match="delta_v must be > 0"):
        seed_loss(*scene(), delta_v=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_kernels_and_torch_agree(dtype: torch.dtype, layout: torch.memory_format) -> None:
    seed, embedding, labels = scene()
    embedding = embedding.to(dtype).contiguous(memory_format=layout)
    exact = seed_loss(seed.double(), embedding.double(), labels)  # double goes the way of torch
    assert float(seed_loss(seed, embedding, labels)) == pytest.approx(float(exact), rel=1e-5)


def test_large_ids_cost_no_large_table() -> None:
    seed, embedding, labels = scene()
    sparse = torch.where(labels > 0, labels * 300, labels)
    assert float(seed_loss(seed, embedding, sparse)) == pytest.approx(
        float(seed_loss(seed, embedding, labels)), rel=1e-6
    )
