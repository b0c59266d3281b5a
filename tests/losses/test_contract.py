"""What every semantic loss promises: gradients, half precision, ignored pixels, permutations."""

import inspect

import pytest
import torch
from torch import Tensor

from embedseg.losses import LOSSES
from tests.losses.loss_scenes import instance_scene, random_scene

BINARY = {"bce", "lovasz_hinge"}
SPATIAL = {"band", "boundary", "generalised_dice_boundary", "hausdorff", "refine"}
MEAN_ONLY = {
    "dice_cross_entropy",
    "dice_focal",
    "exponential_logarithmic",
    "generalised_dice_boundary",
}
# a mean over everything that "none" returns is the mean of these
PER_CLASS = {"dice", "jaccard", "tversky", "focal_tversky", "sensitivity_specificity"}
NAMES = sorted(LOSSES)
IMAGE = torch.rand(2, 3, 6, 7, generator=torch.Generator().manual_seed(5), dtype=torch.float64)


def inputs(name: str, ignore: int = -1) -> tuple[Tensor, Tensor, dict]:
    """Logits, target and the extra keywords of a loss."""
    logits, target = random_scene(1 if name in BINARY else 4, ignore)
    extra = {}
    if name == "instance_cross_entropy":
        extra["instances"] = instance_scene()
    if name == "refine":
        extra["image"] = IMAGE
    if name == "ohem":
        extra["min_kept"] = 11
    if name == "band":
        extra["width"] = 3
    if name == "ldam":
        extra["scale"] = 1.5
    return logits, target, extra


def value(name: str, logits: Tensor, target: Tensor, **extra: object) -> Tensor:
    return LOSSES[name](logits, target, **extra)


@pytest.mark.parametrize("name", NAMES)
def test_signature(name: str) -> None:
    parameters = inspect.signature(LOSSES[name]).parameters
    assert list(parameters)[:6] == [
        "logits",
        "target",
        "ignore_index",
        "weight",
        "reduction",
        "per_image",
    ]
    assert parameters["ignore_index"].default == -1
    assert parameters["weight"].default is None
    assert parameters["reduction"].default == "mean"
    assert parameters["per_image"].default is False


@pytest.mark.parametrize("name", NAMES)
def test_gradient(name: str) -> None:
    logits, target, extra = inputs(name)
    logits = logits[:, :, 1:5, 2:6].clone().requires_grad_()
    target = target[:, 1:5, 2:6]
    cut = {k: v[..., 1:5, 2:6] for k, v in extra.items() if isinstance(v, Tensor)}
    extra = {**extra, **cut}
    assert torch.autograd.gradcheck(
        lambda z: value(name, z, target, **extra), logits, eps=1e-6, atol=1e-5, fast_mode=True
    )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_half_precision(name: str, dtype: torch.dtype) -> None:
    """Extreme logits give finite values and gradients, and sums run in float32."""
    logits, target, extra = inputs(name)
    extreme = (logits.sign() * 50).to(dtype).requires_grad_()
    with torch.autocast("cpu", dtype=dtype):
        loss = value(name, extreme, target, **extra)
    loss.backward()
    assert loss.dtype == torch.float32
    assert loss.isfinite()
    assert extreme.grad is not None and extreme.grad.isfinite().all()
    rounded = logits.to(dtype)
    with torch.autocast("cpu", dtype=dtype):
        half = value(name, rounded, target, **extra)
    assert torch.equal(half, value(name, rounded.float(), target, **extra))


@pytest.mark.parametrize("name", NAMES)
def test_a_perfect_and_a_wrong_prediction_have_finite_gradients(name: str) -> None:
    logits, target, extra = inputs(name)
    if logits.shape[1] == 1:
        perfect = torch.where(target[:, None] == 1, 100.0, -100.0)
    else:
        perfect = torch.where(target[:, None] == torch.arange(4)[:, None, None], 100.0, -100.0)
    for scores in (perfect, -perfect, torch.zeros_like(perfect)):
        z = scores.clone().requires_grad_()
        loss = value(name, z, target, **extra)
        loss.backward()
        assert loss.isfinite()
        assert z.grad is not None and z.grad.isfinite().all()


@pytest.mark.parametrize("per_image", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_all_ignored(name: str, per_image: bool) -> None:
    logits, target, extra = inputs(name)
    z = logits.clone().requires_grad_()
    loss = value(name, z, torch.full_like(target, -1), per_image=per_image, **extra)
    loss.backward()
    # the floor of a logarithm under its exponent is 1e-12
    assert float(loss.detach()) == pytest.approx(0, abs=1e-3)
    assert z.grad is not None and not z.grad.any()


@pytest.mark.parametrize("name", NAMES)
def test_ignored_pixels_take_no_part(name: str) -> None:
    logits, target, extra = inputs(name)
    z = logits.clone().requires_grad_()
    loss = value(name, z, target, **extra)
    loss.backward()
    loss = loss.detach()
    ignored = (target == -1)[:, None].expand_as(logits)
    assert z.grad is not None and not z.grad[ignored].any()
    changed = torch.where(ignored, -logits + 3, logits)
    assert float(value(name, changed, target, **extra)) == pytest.approx(float(loss), rel=1e-12)
    elsewhere = torch.where(target == -1, 255, target)
    renamed = value(name, logits, elsewhere, ignore_index=255, **extra)
    assert float(renamed) == pytest.approx(float(loss), rel=1e-12)


@pytest.mark.parametrize("name", sorted(set(NAMES) - SPATIAL))
def test_order_of_pixels(name: str) -> None:
    logits, target, extra = inputs(name)
    order = torch.randperm(42, generator=torch.Generator().manual_seed(0))
    moved = {k: v.flatten(1)[:, order] for k, v in extra.items() if isinstance(v, Tensor)}
    found = value(
        name, logits.flatten(2)[..., order], target.flatten(1)[:, order], **(extra | moved)
    )
    assert float(found) == pytest.approx(float(value(name, logits, target, **extra)), rel=1e-9)


@pytest.mark.parametrize("name", sorted(set(NAMES) - BINARY - {"refine", "wasserstein_dice"}))
def test_order_of_classes(name: str) -> None:
    """Classes are equals: none has a part of its own by default."""
    logits, target, extra = inputs(name)
    order = torch.tensor([2, 0, 3, 1])  # new class of each old one
    renamed = torch.where(target >= 0, order[target.clamp(min=0)], target)
    moved = logits[:, order.argsort()]
    weight = torch.tensor([0.3, 1.0, 2.5, 0.7]).double()
    found = value(name, moved, renamed, weight=weight[order.argsort()], **extra)
    expected = value(name, logits, target, weight=weight, **extra)
    assert float(found) == pytest.approx(float(expected), rel=1e-6)


@pytest.mark.parametrize("name", sorted(set(NAMES) - BINARY))
def test_one_logit_is_two_classes(name: str) -> None:
    logits, target = random_scene(1)
    extra = inputs(name)[2]
    both = torch.cat([torch.zeros_like(logits), logits], 1)
    weight = [0.4, 1.7]
    found = value(name, logits, target, weight=weight, **extra)
    expected = value(name, both, target, weight=weight, **extra)
    assert float(found) == pytest.approx(float(expected), rel=1e-9)


@pytest.mark.parametrize("name", sorted(set(NAMES) - SPATIAL))
def test_volumes(name: str) -> None:
    """Three dimensions are two with another shape."""
    logits, target, extra = inputs(name)
    deep = {k: v.unflatten(-2, (2, 3)) for k, v in extra.items() if isinstance(v, Tensor)}
    found = value(name, logits.unflatten(2, (2, 3)), target.unflatten(1, (2, 3)), **(extra | deep))
    assert float(found) == pytest.approx(float(value(name, logits, target, **extra)), rel=1e-12)


@pytest.mark.parametrize("name", ["band", "boundary", "hausdorff", "generalised_dice_boundary"])
def test_a_volume_of_one_plane_repeated(name: str) -> None:
    """Nothing changes along the new axis, so distances and bands stay those of the plane."""
    logits, target, extra = inputs(name)
    deep = logits[:, :, None].expand(-1, -1, 4, -1, -1)
    found = value(name, deep, target[:, None].expand(-1, 4, -1, -1), **extra)
    assert float(found) == pytest.approx(float(value(name, logits, target, **extra)), rel=1e-6)


@pytest.mark.parametrize("name", sorted(set(NAMES) - MEAN_ONLY))
def test_sum_is_the_sum_of_none(name: str) -> None:
    logits, target, extra = inputs(name)
    none = value(name, logits, target, reduction="none", **extra)
    total = value(name, logits, target, reduction="sum", **extra)
    assert float(none.sum()) == pytest.approx(float(total), rel=1e-12)
    if name in PER_CLASS:
        assert none.shape == (4,)
        assert value(name, logits, target, reduction="none", per_image=True).shape == (2, 4)
    with pytest.raises(ValueError, match="reduction is 'median'"):
        value(name, logits, target, reduction="median", **extra)


@pytest.mark.parametrize("name", sorted(MEAN_ONLY))
def test_sums_of_losses_have_means_alone(name: str) -> None:
    logits, target, extra = inputs(name)
    with pytest.raises(ValueError, match="'mean' alone"):
        value(name, logits, target, reduction="none", **extra)


@pytest.mark.parametrize("name", NAMES)
def test_refused_inputs(name: str) -> None:
    logits, target, extra = inputs(name)
    for wrong, message in (
        (target.float(), "integer classes"),
        (target[:, :-1], "do not fit"),
        (target + 7, "allow 0"),
    ):
        with pytest.raises(ValueError, match=f"{message}|shape of target"):
            value(name, logits, wrong, **extra)
    with pytest.raises(ValueError, match="weight"):
        value(name, logits, target, weight=[1, 2, 3, 4, 5], **extra)


@pytest.mark.parametrize("name", sorted(BINARY))
def test_binary_losses_refuse_classes(name: str) -> None:
    logits, target = random_scene(4)
    with pytest.raises(ValueError, match="takes 1 channel, got 4"):
        value(name, logits, target)


REFUSED = [
    ("cross_entropy", {"label_smoothing": 1.2}),
    ("bounded_cross_entropy", {"bound": 1.0}),
    ("instance_cross_entropy", {}),
    ("ohem", {"threshold": 0.0}),
    ("ohem", {"min_kept": 0}),
    ("topk", {"fraction": 0.0}),
    ("focal", {"gamma": -1.0}),
    ("focal", {"alpha": 0.3}),
    ("focal", {"form": "sofmax"}),
    ("ldam", {"scale": 0.0}),
    ("dice", {"absent": "maybe"}),
    ("generalised_dice", {"absent": "skip"}),
    ("generalised_dice", {"weighting": "cubic"}),
    ("tversky", {"alpha": -0.1}),
    ("focal_tversky", {"gamma": 0.0}),
    ("focal_tversky", {"focus": "mean", "reduction": "sum"}),
    ("sensitivity_specificity", {"ratio": 1.5}),
    ("exponential_logarithmic", {"gamma": 0.0}),
    ("wasserstein_dice", {"background": 4}),
    ("wasserstein_dice", {"distances": [[0, 1], [1, 0]]}),
    ("wasserstein_dice", {"distances": [[1.0] * 4] * 4}),
    ("boundary", {"distance": torch.zeros(2, 1, 6, 7)}),
    ("boundary", {"distance": torch.zeros(2, 4, 6, 7), "spacing": (1, 1)}),
    ("boundary", {"spacing": (1, 0)}),
    ("hausdorff", {"form": "outside"}),
    ("band", {"width": 4}),
    ("band", {"base": "dice"}),
    ("refine", {}),
    ("refine", {"image": IMAGE, "padding": "reflect"}),
]


@pytest.mark.parametrize(("name", "options"), REFUSED)
def test_refused_options(name: str, options: dict) -> None:
    logits, target = random_scene(4)
    with pytest.raises(ValueError):
        value(name, logits, target, **options)
