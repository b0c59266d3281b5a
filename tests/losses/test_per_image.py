"""`per_image=True` takes each picture by itself and leaves out those without a valid pixel."""

import pytest
import torch
from torch import Tensor

from embedseg.losses import LOSSES
from tests.losses.test_contract import inputs

COUNTS = [900, 300, 50, 7]  # of the training set: without them the whole batch stands in for it
VARIANTS = {name: (name, {}) for name in LOSSES} | {
    "balanced_cross_entropy": ("balanced_cross_entropy", {"counts": COUNTS}),
    "bounded_cross_entropy": ("bounded_cross_entropy", {"counts": COUNTS}),
    "exponential_logarithmic": ("exponential_logarithmic", {"counts": COUNTS}),
    "ldam": ("ldam", {"counts": COUNTS}),
    "dice, present": ("dice", {"absent": "skip"}),
    "focal_tversky of the mean": ("focal_tversky", {"focus": "mean"}),
    "focal_tversky of the mean, present": ("focal_tversky", {"focus": "mean", "absent": "skip"}),
    "lovasz_softmax, all": ("lovasz_softmax", {"absent": "keep"}),
    "band, lovasz": ("band", {"base": "lovasz"}),
}


def scene(variant: str) -> tuple[str, Tensor, Tensor, dict]:
    """Three pictures, the last one ignored, and the loss's options."""
    name, options = VARIANTS[variant]
    logits, target, extra = inputs(name)
    logits, target, *tensors = (
        torch.cat([values, values[:1]])
        for values in (logits, target, *(v for v in extra.values() if isinstance(v, Tensor)))
    )
    target[2] = -1
    named = [k for k, v in extra.items() if isinstance(v, Tensor)]
    return name, logits, target, {**extra, **dict(zip(named, tensors, strict=True)), **options}


def one(name: str, logits: Tensor, target: Tensor, extra: dict, image: int, **rest: bool) -> Tensor:
    """The loss of one picture."""
    part = slice(image, image + 1)
    cut = {k: v[part] for k, v in extra.items() if isinstance(v, Tensor)}
    return LOSSES[name](logits[part], target[part], **{**extra, **cut}, **rest)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_mean_of_the_pictures_that_are_not_ignored(variant: str) -> None:
    name, logits, target, extra = scene(variant)
    logits.requires_grad_()
    found = LOSSES[name](logits, target, per_image=True, **extra)
    expected = sum(one(name, logits, target, extra, i) for i in (0, 1)) / 2
    assert float(found.detach()) == pytest.approx(float(expected.detach()), rel=1e-9)
    gradients = [torch.autograd.grad(value, logits)[0] for value in (found, expected)]
    torch.testing.assert_close(*gradients, rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("per_image", [False, True])
@pytest.mark.parametrize("variant", VARIANTS)
def test_all_ignored_gives_zero(variant: str, per_image: bool) -> None:
    name, logits, target, extra = scene(variant)
    logits.requires_grad_()
    loss = LOSSES[name](logits, torch.full_like(target, -1), per_image=per_image, **extra)
    assert float(loss.detach()) == 0
    assert not torch.autograd.grad(loss, logits)[0].any()


def test_ignored_pictures_add_nothing_to_a_weighted_mean() -> None:
    name, logits, target, extra = scene("dice")
    weight = [0.0, 1.0, 2.0, 0.5]
    found = LOSSES[name](logits, target, per_image=True, weight=weight, **extra)
    expected = LOSSES[name](logits[:2], target[:2], per_image=True, weight=weight, **extra)
    assert float(found) == pytest.approx(float(expected), rel=1e-12)


@pytest.mark.parametrize(
    "name", ["balanced_cross_entropy", "bounded_cross_entropy", "exponential_logarithmic", "ldam"]
)
def test_class_frequencies_are_those_of_the_batch(name: str) -> None:
    """As the page says: the batch stands in for the training set, whatever `per_image`."""
    logits, target, extra = inputs(name)
    counts = [int((target == k).sum()) for k in range(4)]
    found = LOSSES[name](logits, target, per_image=True, **extra)
    given = LOSSES[name](logits, target, per_image=True, counts=counts, **extra)
    assert float(found) == pytest.approx(float(given), rel=1e-9)
    alone = LOSSES[name](logits[:1], target[:1], **extra)
    other = LOSSES[name](logits[1:], target[1:], **extra)
    assert float(found) != pytest.approx(float(alone + other) / 2, rel=1e-4)
