"""The losses of unlabelled pixels against slow loops written from arXiv:2103.14572."""

import math

import pytest
import torch

from embedseg.losses import sparse
from embedseg.losses.sparse import draw_anchors, sparse_loss

V, D = 0.6, 1.7


def scene() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(5)
    embedding, teacher = torch.randn(2, 2, 3, 4, 5, generator=generator)
    labels = torch.randint(-1, 1, (2, 4, 5), generator=generator)
    labels[0, 0, :3], labels[0, 1, :4], labels[0, 3] = 4, 9, -1
    labels[1] = 0
    labels[1, 2] = -1
    return embedding, teacher, labels


def phi(e: torch.Tensor, anchor: torch.Tensor) -> float:
    return math.exp(-math.log(2) * float(((e - anchor) ** 2).sum()) / V**2)


def soft_dice(p: list[float], q: list[float]) -> float:
    both = sum(a * b for a, b in zip(p, q, strict=True))
    return 2 * both / (sum(a * a for a in p) + sum(b * b for b in q))


def test_equals_slow_loops() -> None:
    embedding, teacher, labels = scene()
    found = sparse_loss(
        embedding, teacher, labels, delta_v=V, delta_d=D, generator=torch.Generator().manual_seed(2)
    )
    draw = torch.Generator().manual_seed(2)
    push, objects, agree = [], [], []
    flat = (embedding.flatten(2), teacher.flatten(2), labels.flatten(1))
    for e, taught, ids in zip(*flat, strict=True):
        pixels = range(e.shape[1])
        free = [i for i in pixels if ids[i] < 0]
        means = {
            k: sum(e[:, i] for i in pixels if ids[i] == k) / sum(int(ids[i] == k) for i in pixels)
            for k in (4, 9) if k in ids
        }  # fmt: skip
        if means:
            masks = {k: [phi(e[:, i], m) for i in pixels] for k, m in means.items()}
            lost = [1 - soft_dice(p, [float(i == k) for i in ids]) for k, p in masks.items()]
            objects.append(sum(lost) / len(lost))
            push.append(sum(
                max(0, D - float((m - e[:, i]).norm())) ** 2 for m in means.values() for i in free
            ) / len(free) / len(means))  # fmt: skip
        student, other = e[:, free], taught[:, free]
        anchors, views = draw_anchors(student, other, V, draw), (student, other)
        lost = [
            1 - soft_dice(*([phi(x[:, i], x[:, a]) for i in range(len(free))] for x in views))
            for a in anchors
        ]
        agree.append(sum(lost) / len(lost))
    assert float(found.push) == pytest.approx(sum(push) / len(push), rel=1e-5)
    assert float(found.object) == pytest.approx(sum(objects) / len(objects), rel=1e-5)
    assert float(found.agree) == pytest.approx(sum(agree) / len(agree), rel=1e-5)
    assert float(found.total) == pytest.approx(float(sum(found[1:])), rel=1e-6)


def test_anchors_cover_what_is_free() -> None:
    """Three groups far apart for both: three anchors, one in each."""
    centres = torch.tensor([0.0, 5.0, 9.0])[torch.arange(90) // 30][None]
    at = draw_anchors(centres, centres + 1, V, None)
    assert sorted(a // 30 for a in at) == [0, 1, 2]
    spread = torch.arange(200.0)[None] * 3
    assert len(draw_anchors(spread, spread, V, None)) == sparse.ANCHORS


def test_gradients_are_finite_and_spare_the_teacher() -> None:
    embedding, teacher, labels = scene()
    embedding[0, :, 3] = embedding[0, :, 0, :3].mean(1)[:, None]  # unlabelled pixels at a mean
    maps = embedding.requires_grad_(), teacher.requires_grad_()
    sparse_loss(*maps, labels).total.backward()
    assert torch.isfinite(embedding.grad).all() and embedding.grad.abs().sum() > 0
    assert teacher.grad is None


def test_equal_embeddings_agree_and_full_labels_have_no_such_term() -> None:
    embedding, _, labels = scene()
    assert float(sparse_loss(embedding, embedding, labels).agree) == pytest.approx(0, abs=1e-5)
    full = sparse_loss(embedding.requires_grad_(), embedding, labels.clamp(min=0))
    assert full.push.item() == full.agree.item() == 0 < full.object.item()
    empty = sparse_loss(embedding, embedding, torch.zeros_like(labels))
    assert empty.total.item() == 0 and empty.total.requires_grad


def test_many_unlabelled_pixels_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    embedding, teacher, labels = scene()
    whole = sparse_loss(embedding, teacher, labels).push
    monkeypatch.setattr(sparse, "PIXELS", 5)
    some = [sparse_loss(embedding, teacher, labels).push for _ in range(200)]
    assert len({round(v.item(), 5) for v in some}) > 2
    assert float(torch.stack(some).mean()) == pytest.approx(float(whole), rel=0.15)


def test_autocast_changes_nothing() -> None:
    generator = torch.Generator().manual_seed(5)
    labels = torch.randint(1, 5, (1, 8, 8), generator=generator)
    labels[:, ::2] = -1
    embedding = 20 + torch.randn(1, 4, 8, 8, generator=generator)
    alone = sparse_loss(embedding, embedding + 0.3, labels, generator=generator.manual_seed(1))
    with torch.autocast("cpu", torch.bfloat16):
        within = sparse_loss(embedding, embedding + 0.3, labels, generator=generator.manual_seed(1))
    for a, b in zip(within, alone, strict=True):
        torch.testing.assert_close(a, b)
