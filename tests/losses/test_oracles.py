"""Every loss against its slow oracle: unequal parameters, an absent class, ignored pixels."""

import pytest
import torch

from embedseg.losses import LOSSES
from tests.losses import oracles, oracles_maps
from tests.losses.loss_scenes import instance_scene, random_scene

Z1, Y1 = random_scene(1)
Z4, Y4 = random_scene(4)
W1, W4 = [0.4, 1.7], [0.3, 1.0, 2.5, 0.7]
COUNTS1, COUNTS4 = [900, 100], [1000, 300, 50, 7]
TREE = [[0, 1, 1, 2], [1, 0, 0.5, 2], [1, 0.5, 0, 1.5], [2, 2, 1.5, 0]]
IMAGE = torch.rand(2, 3, 6, 7, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
IDS = instance_scene()


def gdl(z, y, power=2, absent="largest", **rest):
    return oracles.generalised_dice(z, y, power, absent, **rest)


def focal_mean(z, y, alpha, beta, gamma, smooth):
    return oracles.tversky(z, y, alpha=alpha, beta=beta, smooth=smooth) ** gamma


def sum_of(*parts):
    return lambda z, y, **rest: sum(w * part(z, y, **rest) for w, part in parts)


def band(base):
    return lambda z, y, **rest: base(z, oracles_maps.band_labels(y.tolist(), 3), **rest)


def part(function, **fixed):
    return lambda z, y, **rest: function(z, y, **fixed, **rest)


def by_classes(function, name, one, four):
    """An oracle whose argument `name` depends on the number of classes."""
    return lambda z, y, **rest: function(z, y, **{name: one if len(z[0]) == 1 else four}, **rest)


DICE = part(oracles.dice, smooth=1e-6)
CASES = {
    "cross_entropy": (
        "cross_entropy",
        {"label_smoothing": 0.2},
        part(oracles.cross_entropy, smoothing=0.2),
    ),
    "balanced, batch": ("balanced_cross_entropy", {}, oracles.balanced),
    "bounded, batch": ("bounded_cross_entropy", {"bound": 1.1}, part(oracles.bounded, bound=1.1)),
    "instances": (
        "instance_cross_entropy",
        {"instances": IDS},
        part(oracles.instance_cross_entropy, instances=IDS.tolist()),
    ),
    "instances, limited": (
        "instance_cross_entropy",
        {"instances": IDS, "limit": 1.2},
        part(oracles.instance_cross_entropy, instances=IDS.tolist(), limit=1.2),
    ),
    "ohem by threshold": (
        "ohem",
        {"threshold": 0.6, "min_kept": 3},
        part(oracles.ohem, threshold=0.6, min_kept=3),
    ),
    "ohem by number": (
        "ohem",
        {"threshold": 0.1, "min_kept": 20},
        part(oracles.ohem, threshold=0.1, min_kept=20),
    ),
    "ohem of all": ("ohem", {}, part(oracles.ohem, threshold=0.7, min_kept=100_000)),
    "topk": ("topk", {"fraction": 0.17}, part(oracles.topk, fraction=0.17)),
    "focal": ("focal", {"gamma": 1.5}, part(oracles.focal, gamma=1.5)),
    "focal, sigmoid": (
        "focal",
        {"gamma": 1.5, "form": "sigmoid"},
        part(oracles.focal_sigmoid, gamma=1.5),
    ),
    "ldam, counts": (
        "ldam",
        {"counts": None, "max_margin": 0.8, "scale": 1.3},
        by_classes(part(oracles.ldam, max_margin=0.8, scale=1.3), "counts", COUNTS1, COUNTS4),
    ),
    "dice": ("dice", {"smooth": 0.3}, part(oracles.dice, smooth=0.3)),
    "dice, squared": ("dice", {"squared": True}, part(oracles.dice, smooth=1e-6, squared=True)),
    "dice, present": ("dice", {"absent": "skip"}, part(oracles.dice, smooth=1e-6, skip=True)),
    "jaccard": ("jaccard", {"smooth": 0.2}, part(oracles.jaccard, smooth=0.2)),
    "gdl": ("generalised_dice", {}, gdl),
    "gdl, epsilon": ("generalised_dice", {"absent": "epsilon"}, part(gdl, absent="epsilon")),
    "gdl, zero, simple": (
        "generalised_dice",
        {"absent": "zero", "weighting": "simple"},
        part(gdl, absent="zero", power=1),
    ),
    "gdl, uniform": ("generalised_dice", {"weighting": "uniform"}, part(gdl, power=0)),
    "tversky": (
        "tversky",
        {"alpha": 0.2, "beta": 1.1, "smooth": 0.5},
        part(oracles.tversky, alpha=0.2, beta=1.1, smooth=0.5),
    ),
    "focal tversky": (
        "focal_tversky",
        {"alpha": 0.2, "beta": 1.1, "gamma": 0.6},
        part(oracles.tversky, alpha=0.2, beta=1.1, smooth=1e-6, gamma=0.6),
    ),
    "sensitivity-specificity": (
        "sensitivity_specificity",
        {"ratio": 0.3, "smooth": 0.1},
        part(oracles.sensitivity_specificity, ratio=0.3, smooth=0.1),
    ),
    "mcc": ("mcc", {}, oracles.mcc),
    "lovasz softmax": ("lovasz_softmax", {}, oracles.lovasz_softmax),
    "lovasz softmax, all": (
        "lovasz_softmax",
        {"absent": "keep"},
        part(oracles.lovasz_softmax, skip=False),
    ),
    "exponential-logarithmic": (
        "exponential_logarithmic",
        {"counts": None, "dice_factor": 0.6, "cross_factor": 0.9, "gamma": 0.4, "smooth": 0.7},
        by_classes(
            part(oracles.exponential_logarithmic, first=0.6, second=0.9, gamma=0.4, smooth=0.7),
            "counts",
            COUNTS1,
            COUNTS4,
        ),
    ),
    "wasserstein": (
        "wasserstein_dice",
        {"distances": TREE, "background": 1},
        part(oracles.wasserstein_dice, matrix=TREE, background=1, smooth=1e-6),
    ),
    "boundary": (
        "boundary",
        {"spacing": (1.5, 0.7)},
        part(oracles_maps.boundary, spacing=(1.5, 0.7)),
    ),
    "hausdorff": (
        "hausdorff",
        {"spacing": (1.5, 0.7), "power": 1.3},
        part(oracles_maps.hausdorff, form="both", power=1.3, spacing=(1.5, 0.7)),
    ),
    "hausdorff, inside": (
        "hausdorff",
        {"form": "inside"},
        part(oracles_maps.hausdorff, form="inside", power=2),
    ),
    "band": ("band", {"width": 3}, band(oracles.cross_entropy)),
    "band, lovasz": ("band", {"width": 3, "base": "lovasz"}, band(oracles.lovasz_softmax)),
    "refine": (
        "refine",
        {"image": IMAGE, "width": 5, "share": 0.3, "magnitude": 1.2},
        part(
            oracles_maps.refine,
            image=IMAGE.tolist(),
            width=5,
            share=0.3,
            magnitude=1.2,
            zeros=False,
        ),
    ),
    "refine, zeros": (
        "refine",
        {"image": IMAGE, "padding": "constant"},
        part(
            oracles_maps.refine,
            image=IMAGE.tolist(),
            width=7,
            share=0.5,
            magnitude=1.5,
            zeros=True,
        ),
    ),
    "dice + cross-entropy": (
        "dice_cross_entropy",
        {},
        sum_of((1, DICE), (1, oracles.cross_entropy)),
    ),
    "dice + focal": (
        "dice_focal",
        {"gamma": 3.0},
        sum_of((1, DICE), (1, part(oracles.focal, gamma=3.0))),
    ),
    "gdl + boundary": (
        "generalised_dice_boundary",
        {"boundary_factor": 0.3},
        sum_of((1, gdl), (0.3, oracles_maps.boundary)),
    ),
}
FOUR_ONLY = {"wasserstein", "band, lovasz"}  # a 4x4 matrix; the hinge form has a test of its own


def check(name: str, classes: int, per_image: bool, weighted: bool) -> None:
    loss, options, oracle = CASES[name]
    logits, target = (Z1, Y1) if classes == 1 else (Z4, Y4)
    weight = (W1 if classes == 1 else W4) if weighted else None
    if options.get("counts", 0) is None:
        options = {**options, "counts": COUNTS1 if classes == 1 else COUNTS4}
    found = LOSSES[loss](logits, target, weight=weight, per_image=per_image, **options)
    expected = oracle(logits.tolist(), target, weight=weight, per_image=per_image)
    # distance maps are float32
    precision = 1e-6 if loss in {"boundary", "hausdorff", "generalised_dice_boundary"} else 1e-9
    if loss == "generalised_dice":
        precision = 1e-7  # the oracle has no smoothing
    assert float(found) == pytest.approx(expected, rel=precision, abs=1e-9)


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("per_image", [False, True], ids=["pooled", "per image"])
@pytest.mark.parametrize("name", CASES)
def test_four_classes(name: str, per_image: bool, weighted: bool) -> None:
    check(name, 4, per_image, weighted)


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("per_image", [False, True], ids=["pooled", "per image"])
@pytest.mark.parametrize("name", sorted(set(CASES) - FOUR_ONLY))
def test_binary(name: str, per_image: bool, weighted: bool) -> None:
    check(name, 1, per_image, weighted)


@pytest.mark.parametrize("per_image", [False, True], ids=["pooled", "per image"])
@pytest.mark.parametrize("name", ["lovasz_hinge", "band"])
def test_lovasz_hinge(name: str, per_image: bool) -> None:
    options = {} if name == "lovasz_hinge" else {"base": "lovasz", "width": 3}
    oracle = oracles.lovasz_hinge if name == "lovasz_hinge" else band(oracles.lovasz_hinge)
    found = LOSSES[name](Z1, Y1, per_image=per_image, **options)
    assert float(found) == pytest.approx(oracle(Z1.tolist(), Y1, per_image=per_image), rel=1e-9)


@pytest.mark.parametrize("name", ["balanced", "bounded"])
def test_given_counts(name: str) -> None:
    found = LOSSES[f"{name}_cross_entropy"](Z4, Y4, counts=COUNTS4, weight=W4)
    expected = getattr(oracles, name)(Z4.tolist(), Y4, counts=COUNTS4, weight=W4)
    assert float(found) == pytest.approx(expected, rel=1e-9)


def test_focal_alpha() -> None:
    found = LOSSES["focal"](Z1, Y1, alpha=0.2, gamma=1.5)
    assert float(found) == pytest.approx(oracles.focal(Z1.tolist(), Y1, 1.5, alpha=0.2), rel=1e-9)


def test_focal_tversky_of_the_mean() -> None:
    options = {"alpha": 0.2, "beta": 1.1, "gamma": 0.6, "smooth": 0.1}
    found = LOSSES["focal_tversky"](Z4, Y4, focus="mean", **options)
    assert float(found) == pytest.approx(focal_mean(Z4.tolist(), Y4, **options), rel=1e-9)


def test_swapping_the_prices_changes_tversky() -> None:
    one, other = (LOSSES["tversky"](Z4, Y4, alpha=a, beta=1 - a) for a in (0.3, 0.7))
    assert abs(float(one - other)) > 0.01


def test_every_loss_has_a_case() -> None:
    covered = {loss for loss, _, _ in CASES.values()} | {"lovasz_hinge", "bce"}
    assert covered == set(LOSSES)
