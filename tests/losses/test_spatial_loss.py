"""The learned-bandwidth loss against a slow loop over pixels written from arXiv:1906.11109."""

import math

import pytest
import torch

from embedseg.losses.spatial import NEGLIGIBLE, spatial_loss


def scene(batch: int = 2, size: int = 9) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(3)
    labels = torch.zeros(batch, size, size, dtype=torch.long)
    labels[0, 1:4, 1:4], labels[0, 5:8, 2:8], labels[0, 0, 8] = 7, 2, 9
    labels[0, 8] = -1
    labels[1, 2:5, 3:8] = 4
    places = torch.stack(torch.meshgrid(*2 * [torch.arange(size) / size], indexing="ij")[::-1])
    embedding = places + 0.1 * torch.randn(batch, 2, size, size, generator=generator)
    precision = 3 + torch.randn(batch, 2, size, size, generator=generator)
    seed = torch.randn(batch, 1, size, size, generator=generator)
    return embedding.double(), precision.double(), seed.double(), labels


def oracle(embedding, precision, seed, labels):
    """Loops over images, instances and pixels; the Lovasz extension by set differences."""
    sums = [0.0, 0.0, 0.0]
    for b in range(len(labels)):
        pixels = [(y, x) for y in range(labels.shape[1]) for x in range(labels.shape[2])]
        pixels = [p for p in pixels if labels[b][p] >= 0]
        ids = sorted({int(labels[b][p]) for p in pixels} - {0})
        target = dict.fromkeys(pixels, 0.0)
        hinge = smooth = 0.0
        for k in ids:
            own = [p for p in pixels if labels[b][p] == k]
            centre = [sum(float(embedding[b, a][p]) for p in own) / len(own) for a in (0, 1)]
            mean = [sum(float(precision[b, a][p]) for p in own) / len(own) for a in (0, 1)]
            phi = {
                p: math.exp(-sum(
                    math.exp(mean[a]) * (float(embedding[b, a][p]) - centre[a]) ** 2 for a in (0, 1)
                )) for p in pixels
            }  # fmt: skip
            for p in own:
                target[p] = phi[p]
                smooth += sum(
                    (float(precision[b, a][p]) / 10 - mean[a] / 10) ** 2 for a in (0, 1)
                ) / (2 * len(own) * len(ids))
            errors = {p: max(0.0, 1 - (2 * phi[p] - 1) * (1 if p in own else -1)) for p in pixels}
            wrong: set[tuple[int, int]] = set()
            before = 0.0
            for p in sorted(pixels, key=lambda p: -errors[p]):
                wrong.add(p)
                left = len([q for q in own if q not in wrong])
                union = len(own) + len([q for q in wrong if q not in own])
                hinge += errors[p] * (1 - left / union - before) / len(ids)
                before = 1 - left / union
        seeds = 0.0
        for p in pixels:
            s = 1 / (1 + math.exp(-float(seed[b, 0][p])))
            seeds += (10 if labels[b][p] > 0 else 1) * (s - target[p]) ** 2 / len(pixels)
        for place, value in enumerate((hinge, smooth, seeds)):
            sums[place] += value / len(labels)
    return sums


def test_equals_the_oracle() -> None:
    inputs = scene()
    terms = spatial_loss(*inputs, instance=0.7, smoothness=3.0, seed_weight=1.3)
    expected = oracle(*inputs)
    assert float(terms.instance) == pytest.approx(expected[0], abs=2 * NEGLIGIBLE)
    assert float(terms.smoothness) == pytest.approx(expected[1], rel=1e-5)
    assert float(terms.seed) == pytest.approx(expected[2], rel=1e-5)
    total = 0.7 * expected[0] + 3.0 * expected[1] + 1.3 * expected[2]
    assert float(terms.total) == pytest.approx(total, abs=2 * NEGLIGIBLE)


def test_the_gradient_goes_where_it_should() -> None:
    embedding, precision, seed, labels = scene()
    maps = [embedding.requires_grad_(), precision.requires_grad_(), seed.requires_grad_()]
    terms = spatial_loss(*maps, labels)
    assert torch.autograd.grad(terms.seed, maps[0], retain_graph=True, allow_unused=True)[0] is None
    by_place, by_width = torch.autograd.grad(terms.instance, maps[:2], retain_graph=True)
    assert by_place.abs().sum() > 0 and by_width.abs().sum() > 0
    ignored = labels[:, None].expand_as(embedding) < 0
    whole = torch.autograd.grad(terms.total, maps)
    assert all(torch.isfinite(g).all() for g in whole) and not whole[0][ignored].any()


def test_perfect_places_cost_almost_nothing() -> None:
    labels = torch.zeros(1, 8, 8, dtype=torch.long)
    labels[0, :3], labels[0, 5:] = 1, 2
    embedding = labels[:, None].expand(1, 2, 8, 8).float().contiguous()
    embedding[embedding == 0] = 5.0
    terms = spatial_loss(
        embedding, torch.full((1, 2, 8, 8), 4.0), 20.0 * (labels[:, None] > 0) - 10, labels
    )
    assert float(terms.total) < 1e-3


def test_no_instance_leaves_the_seed_map_and_a_graph() -> None:
    maps = [torch.randn(1, c, 4, 4, requires_grad=True) for c in (2, 2, 1)]
    terms = spatial_loss(*maps, torch.zeros(1, 4, 4, dtype=torch.long))
    assert terms.instance.item() == 0 and terms.seed.item() > 0
    terms.total.backward()
    assert all(torch.isfinite(m.grad).all() for m in maps if m.grad is not None)


def test_widths_of_another_shape_are_refused() -> None:
    embedding, precision, seed, labels = scene()
    with pytest.raises(ValueError, match="one bandwidth along each axis"):
        spatial_loss(embedding, precision[:, :1], seed, labels)
