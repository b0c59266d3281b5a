"""Batches of nothing, label types that torch half knows, and arrays in place of tensors."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from embedseg.losses import (
    LOSSES,
    border_target,
    category_consistent_loss,
    discriminative_loss,
    signed_distance_maps,
)
from embedseg.losses.distance_maps import DistanceCache, batch_maps
from embedseg.losses.seed import seed_loss
from tests.losses.test_contract import BINARY, inputs

NAMES = sorted(LOSSES)
X = torch.randn(2, 3, 6, 7, generator=torch.Generator().manual_seed(0))
IDS = torch.arange(6 * 7).view(1, 6, 7).expand(2, -1, -1) // 9


@pytest.mark.parametrize("per_image", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_a_batch_of_nothing_gives_zero(name: str, per_image: bool) -> None:
    logits, target, extra = inputs(name)
    logits = logits[:0].clone().requires_grad_()
    extra = {k: v[:0] if isinstance(v, Tensor) else v for k, v in extra.items()}
    loss = LOSSES[name](logits, target[:0], per_image=per_image, **extra)
    assert float(loss.detach()) == 0
    assert torch.autograd.grad(loss, logits)[0].shape == logits.shape


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
def test_an_embedding_of_nothing_gives_zero(kind: torch.dtype) -> None:
    x = X[:0].to(kind).requires_grad_()
    for term in discriminative_loss(x, IDS[:0]):
        assert float(term.detach()) == 0
        assert torch.autograd.grad(term, x, retain_graph=True)[0].shape == x.shape
    assert float(seed_loss(X[:0, :1], X[:0], IDS[:0])) == 0


def test_no_image_has_no_maps() -> None:
    assert batch_maps(IDS[:0], 3).shape == (0, 3, 6, 7)


@pytest.mark.parametrize("name", sorted(set(NAMES) - BINARY))
def test_logits_without_a_channel_are_refused(name: str) -> None:
    logits, target, extra = inputs(name)
    with pytest.raises(ValueError, match="have no channel"):
        LOSSES[name](logits[:, :0], target, **extra)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("cross_entropy", {"weight": [-1, 1]}, "weight must be finite numbers >= 0, got"),
        ("dice", {"weight": [1.0, float("nan")]}, "weight must be finite numbers >= 0, got"),
        ("balanced_cross_entropy", {"counts": [-5, 1]}, "counts must be finite numbers >= 0"),
        ("balanced_cross_entropy", {"counts": [5]}, r"counts has shape \(1,\), but there are 2"),
        ("ldam", {"counts": [1, 2, 3]}, r"counts has shape \(3,\), but there are 2 classes"),
        ("exponential_logarithmic", {"counts": [1, 2, 3]}, r"counts has shape \(3,\), but"),
        ("focal", {"alpha": 25}, r"alpha must lie in \[0, 1\], got 25"),
        ("dice", {"smooth": -1}, "smooth must be a finite number >= 0, got -1"),
        ("jaccard", {"smooth": -1}, "smooth must be"),
        ("tversky", {"smooth": -1}, "smooth must be"),
        ("sensitivity_specificity", {"smooth": -1}, "smooth must be"),
        ("wasserstein_dice", {"smooth": -1}, "smooth must be"),
        ("hausdorff", {"power": 0}, "power must be > 0, got 0"),
        ("refine", {"share": 1.5}, r"share must lie in \[0, 1\]"),
        ("refine", {"magnitude": -1}, "magnitude be >= 0"),
    ],
)
def test_numbers_that_no_loss_can_have_are_refused(
    name: str, options: dict[str, Any], message: str
) -> None:
    logits, target, extra = inputs(name)
    with pytest.raises(ValueError, match=message):
        LOSSES[name](logits[:, :1], target.clamp(max=1), **{**extra, **options})


@pytest.mark.parametrize(
    "name", ["balanced_cross_entropy", "bounded_cross_entropy", "exponential_logarithmic", "ldam"]
)
def test_counts_may_be_shares(name: str) -> None:
    logits, target, _ = inputs(name)
    counts = torch.arange(1.0, logits.shape[1] + 1)
    ones = LOSSES[name](logits, target, counts=torch.ones_like(counts))
    many = LOSSES[name](logits, target, counts=900 * counts)
    few = LOSSES[name](logits, target, counts=(counts / counts.sum()).tolist())
    assert float(few) == pytest.approx(float(many), rel=1e-5) != pytest.approx(float(ones))


def test_weights_of_category_consistency_are_not_negative() -> None:
    with pytest.raises(ValueError, match=r"must be >= 0, got 1\.0, -1 and 0\.001"):
        category_consistent_loss(X, IDS, beta=-1)


def test_an_embedding_without_a_channel_is_refused() -> None:
    with pytest.raises(ValueError, match="E >= 1"):
        discriminative_loss(X[:, :0], IDS)


@pytest.mark.parametrize("kind", [torch.uint8, torch.uint16, torch.uint32], ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_unsigned_targets(name: str, kind: torch.dtype) -> None:
    logits, target, extra = inputs(name)
    target = target.clamp(min=0)
    expected = LOSSES[name](logits, target, **extra)
    assert torch.equal(LOSSES[name](logits, target.to(kind), **extra), expected)


@pytest.mark.parametrize("kind", [torch.uint8, torch.uint16, torch.uint32], ids=str)
@pytest.mark.parametrize("backend", ["numba", "torch"])
def test_unsigned_labels(backend: str, kind: torch.dtype) -> None:
    last = torch.where(IDS == 4, torch.iinfo(kind).max, IDS)
    options = {"backend": backend, "push_neighbours": 2.0}
    expected = discriminative_loss(X, last, **options)
    assert discriminative_loss(X, last.to(kind), **options) == expected
    expected = discriminative_loss(X, last, semantic=IDS % 3, **options)
    assert discriminative_loss(X, last.to(kind), semantic=(IDS % 3).to(kind), **options) == expected


@pytest.mark.parametrize("backend", ["numba", "torch"])
def test_bytes_in_a_batch_too_large_for_a_table(backend: str) -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 3, (300, 3, 3), generator=generator)
    labels[0, 0, 0] = 255
    x = torch.randn(300, 2, 3, 3, generator=generator)
    expected = discriminative_loss(x, labels, backend=backend)
    assert discriminative_loss(x, labels.byte(), backend=backend) == expected


def test_labels_of_64_bits_unsigned_are_refused() -> None:
    with pytest.raises(ValueError, match=r"signed at most, got torch\.uint64"):
        discriminative_loss(X, IDS.to(torch.uint64))


def test_the_border_of_the_largest_byte() -> None:
    """It is no -1."""
    labels = torch.tensor([[[255, 255, 255, 7, 7, 7, 7]]])
    expected = border_target(labels, width=3)
    assert torch.equal(border_target(labels.to(torch.uint8), width=3), expected)


@pytest.mark.parametrize("name", NAMES)
def test_arrays_are_refused(name: str) -> None:
    logits, target, extra = inputs(name)
    for given in ((logits, target.numpy()), (logits.numpy(), target)):
        with pytest.raises(TypeError, match=r"must be a torch tensor, got numpy\.ndarray"):
            LOSSES[name](*given, **extra)


@pytest.mark.parametrize("name", ["boundary", "hausdorff", "instance_cross_entropy", "refine"])
def test_arrays_beside_the_target_are_refused(name: str) -> None:
    logits, target, extra = inputs(name)
    keyword = {
        "boundary": "distance",
        "hausdorff": "border_distance",
        "refine": "image",
        "instance_cross_entropy": "instances",
    }[name]
    shape = (2, 3, 6, 7) if name == "refine" else tuple(target.shape)
    with pytest.raises(TypeError, match=f"{keyword} must be a torch tensor"):
        LOSSES[name](logits, target, **{**extra, keyword: np.zeros(shape)})


def test_arrays_are_refused_by_the_losses_of_other_heads() -> None:
    labels = IDS.numpy()
    for name, compute in (
        ("labels", lambda: discriminative_loss(X, labels)),
        ("semantic", lambda: discriminative_loss(X, IDS, semantic=labels)),
        ("embedding", lambda: discriminative_loss(X.numpy(), IDS)),
        ("target", lambda: category_consistent_loss(X, labels)),
        ("instances", lambda: border_target(labels)),
    ):
        with pytest.raises(TypeError, match=f"{name} must be a torch tensor"):
            compute()


def test_maps_of_no_class_are_refused() -> None:
    for classes in (0, -1):
        with pytest.raises(ValueError, match=f"classes must be >= 1, got {classes}"):
            signed_distance_maps(IDS[0].numpy(), classes)
    with pytest.raises(ValueError, match="classes must be >= 1"):
        DistanceCache(classes=0)(IDS[0].numpy())
