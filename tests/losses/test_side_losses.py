"""Losses with inputs or a head of their own: border, consistency, encoding, category, depth."""

import math

import pytest
import torch

from embedseg.losses import (
    balanced_weights,
    band_target,
    border_loss,
    border_target,
    bounded_inverse_weights,
    category_consistent_loss,
    consistency_loss,
    deep_supervision,
    dice_loss,
    discriminative_loss,
    instance_size_weights,
    presence_target,
    resize_labels,
    semantic_encoding_loss,
)
from tests.losses import oracles, oracles_maps
from tests.losses.loss_scenes import instance_scene, random_scene

Z1, Y1 = random_scene(1)
Z4, Y4 = random_scene(4)
IDS = instance_scene()


@pytest.mark.parametrize("width", [3, 5, 15])
def test_windows(width: int) -> None:
    assert band_target(Y4, width=width).tolist() == oracles_maps.band_labels(Y4, width)
    expected = [
        [
            [-1 if v == -1 else int(oracles_maps.in_band(ids, width, i, j)) for j, v in row]
            for i, row in enumerate([list(enumerate(line)) for line in ids])
        ]
        for ids in IDS.tolist()
    ]
    assert border_target(IDS, width=width).tolist() == expected


def test_border_parts_touching_instances() -> None:
    """Two instances of one class side by side have a border; their class mask has none there."""
    ids = torch.tensor([[[4] * 5 + [9] * 5] * 3])
    assert border_target(ids, width=3)[0, 1].tolist() == [0, 0, 0, 0, 1, 1, 0, 0, 0, 0]
    assert not border_target((ids > 0).long(), width=3).any()


def test_border_exact_for_huge_ids() -> None:
    ids = torch.tensor([[[2**53, 2**53 + 1]]])
    assert border_target(ids, width=3).tolist() == [[[1, 1]]]


@pytest.mark.parametrize("per_image", [False, True])
def test_border_loss(per_image: bool) -> None:
    found = border_loss(Z1, IDS, width=3, alpha=0.3, gamma=1.5, per_image=per_image)
    target = border_target(IDS, width=3)
    expected = oracles.focal(Z1.tolist(), target, 1.5, alpha=0.3, per_image=per_image)
    assert float(found) == pytest.approx(expected, rel=1e-9)
    with pytest.raises(ValueError, match="1 channel, got 4"):
        border_loss(Z4, IDS)


@pytest.mark.parametrize("classes", [1, 4])
def test_consistency(classes: int) -> None:
    logits = random_scene(classes)[0]
    teacher, valid = logits.flip(2) * 0.7, random_scene(4)[1] >= 0
    found = consistency_loss(logits, teacher, temperature=1.7, valid=valid)
    expected = oracles_maps.consistency(logits, teacher, 1.7, valid)
    assert float(found) == pytest.approx(expected, rel=1e-9)
    everywhere = consistency_loss(logits, teacher)
    expected = oracles_maps.consistency(logits, teacher, 1, valid | True)
    assert float(everywhere) == pytest.approx(expected, rel=1e-9)


def test_consistency_teaches_one_way() -> None:
    student, teacher = Z4.clone().requires_grad_(), Z4.flip(2).clone().requires_grad_()
    consistency_loss(student, teacher).backward()
    assert student.grad.any() and teacher.grad is None
    assert float(consistency_loss(Z4, Z4)) == pytest.approx(0, abs=1e-12)
    with pytest.raises(ValueError, match="temperature must be > 0"):
        consistency_loss(Z4, Z4, temperature=0)
    with pytest.raises(ValueError, match="of one shape"):
        consistency_loss(Z4, Z4[:, :2])
    with pytest.raises(ValueError, match="valid has shape"):
        consistency_loss(Z4, Z4, valid=torch.ones(2, 6, dtype=torch.bool))


def test_presence() -> None:
    assert presence_target(Y4, 4).tolist() == [[1, 1, 1, 0], [1, 1, 0, 0]]
    assert presence_target(Y4, 1).tolist() == [[1], [1]]
    assert presence_target(Y4, 2, ignore_index=1).tolist() == [[1, 0], [1, 0]]


@pytest.mark.parametrize("weight", [None, [0.3, 1.0, 2.5, 0.7]])
def test_semantic_encoding(weight: list[float] | None) -> None:
    presence = Z4.mean((2, 3))
    found = semantic_encoding_loss(presence, Y4, weight=weight)
    expected = oracles_maps.semantic_encoding(presence, Y4.tolist(), weight)
    assert float(found) == pytest.approx(expected, rel=1e-9)
    none = semantic_encoding_loss(presence, Y4, weight=weight, reduction="none")
    total = semantic_encoding_loss(presence, Y4, weight=weight, reduction="sum")
    assert none.shape == (2, 4) and float(none.sum()) == pytest.approx(float(total))
    with pytest.raises(ValueError, match=r"give \(2, K\)"):
        semantic_encoding_loss(Z4, Y4)


@pytest.mark.parametrize("per_image", [False, True])
def test_category_consistent(per_image: bool) -> None:
    options = {"delta_v": 0.6, "delta_d": 1.4, "alpha": 0.7, "beta": 1.3, "gamma": 0.2}
    found = category_consistent_loss(Z4, Y4, per_image=per_image, **options)
    expected = oracles_maps.category_consistent(
        Z4.tolist(), Y4.tolist(), per_image=per_image, **options
    )
    assert float(found.total) == pytest.approx(expected, rel=1e-9)
    parts = 0.7 * found.pull + 1.3 * found.push + 0.2 * found.reg
    assert float(found.total) == pytest.approx(float(parts), rel=1e-12)


def test_category_consistent_gradients() -> None:
    z = (2 * Z4[:, :, :4, :5]).clone().requires_grad_()
    target = Y4[:, :4, :5]
    assert torch.autograd.gradcheck(
        lambda x: category_consistent_loss(x, target).total, z, fast_mode=True
    )
    for features, labels in (
        (Z4, torch.full_like(Y4, -1)),
        (Z4, torch.zeros_like(Y4)),
        (torch.ones_like(Z4), Y4),
        (Z4.sign().half() * 50, Y4),
    ):
        x = features.clone().requires_grad_()
        category_consistent_loss(x, labels).total.backward()
        assert x.grad is not None and x.grad.isfinite().all()
    with pytest.raises(ValueError, match="delta_v < delta_d"):
        category_consistent_loss(Z4, Y4, delta_v=2)
    with pytest.raises(ValueError, match="do not fit"):
        category_consistent_loss(Z4, Y4[:, 1:])


def test_deep_supervision_of_logits() -> None:
    half = Z4[:, :, ::2, ::2]
    total, parts = deep_supervision([Z4, half], Y4, dice_loss, weights=[1, 0.5])
    small = resize_labels(Y4, half.shape[2:])
    expected = dice_loss(Z4, Y4) + 0.5 * dice_loss(half, small)
    assert float(total) == pytest.approx(float(expected), rel=1e-12)
    assert torch.equal(parts[0], dice_loss(Z4, Y4))
    with pytest.raises(ValueError, match="2 outputs and 1 weights"):
        deep_supervision([Z4, half], Y4, dice_loss, weights=[1])
    with pytest.raises(ValueError, match="0 outputs"):
        deep_supervision([], Y4, dice_loss)


def test_deep_supervision_of_embeddings() -> None:
    half = Z4[:, :, ::2, 1::2]
    total, parts = deep_supervision([Z4, half], IDS, discriminative_loss)
    expected = [discriminative_loss(z, resize_labels(IDS, z.shape[2:])) for z in (Z4, half)]
    assert float(total) == pytest.approx(float(expected[0].total + expected[1].total), rel=1e-12)
    assert float(parts[1].pull) == pytest.approx(float(expected[1].pull), rel=1e-12)


def test_resized_labels_are_those_of_the_nearest_pixel() -> None:
    labels = torch.arange(1, 43).reshape(1, 6, 7)
    small = resize_labels(labels, (3, 2))
    assert small.tolist() == [[[9, 13], [23, 27], [37, 41]]]
    assert torch.equal(resize_labels(labels, (6, 7)), labels)
    large = resize_labels(labels, (12, 14))
    assert torch.equal(large, labels.repeat_interleave(2, 1).repeat_interleave(2, 2))
    with pytest.raises(ValueError, match="2 space dimensions"):
        resize_labels(labels, (3,))


def test_class_weights() -> None:
    counts = torch.tensor([60.0, 30.0, 10.0, 0.0])
    assert balanced_weights(counts).tolist() == pytest.approx([100 / 180, 100 / 90, 100 / 30, 0])
    expected = [1 / math.log(1.02 + p) for p in (0.6, 0.3, 0.1, 0)]
    assert bounded_inverse_weights(counts).tolist() == pytest.approx(expected)
    assert not balanced_weights(torch.zeros(3)).any()


def test_instance_weights_are_one_on_average() -> None:
    weights = instance_size_weights(IDS)
    foreground = IDS > 0
    assert float(weights[foreground].mean()) == pytest.approx(1)
    assert (weights[~foreground] == 1).all()
    sums = [float(weights[0][IDS[0] == i].sum()) for i in IDS[0].unique() if i > 0]
    assert sums == pytest.approx([sums[0]] * len(sums))
    assert (instance_size_weights(torch.zeros(2, 3, 3, dtype=torch.long)) == 1).all()
    with pytest.raises(ValueError, match="limit must be >= 1"):
        instance_size_weights(IDS, limit=0.5)


def test_instance_weights_are_one_on_average_in_each_image() -> None:
    weights = instance_size_weights(IDS, per_image=True)
    for weight, ids in zip(weights, IDS, strict=True):
        assert float(weight[ids > 0].mean()) == pytest.approx(1)
        assert (weight[ids <= 0] == 1).all()
    assert not torch.equal(weights, instance_size_weights(IDS))
