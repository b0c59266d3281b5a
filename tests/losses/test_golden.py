"""Values that the original code of each paper gave on one scene, or its documented variant."""

import pytest
import torch

from embedseg.losses import (
    balanced_cross_entropy_loss,
    boundary_loss,
    consistency_loss,
    cross_entropy_loss,
    dice_cross_entropy_loss,
    dice_loss,
    exponential_logarithmic_loss,
    focal_loss,
    focal_tversky_loss,
    generalised_dice_loss,
    hausdorff_loss,
    lovasz_hinge_loss,
    lovasz_softmax_loss,
    ohem_loss,
    semantic_encoding_loss,
    sensitivity_specificity_loss,
    tversky_loss,
    wasserstein_dice_loss,
)
from embedseg.losses.distance_maps import batch_maps
from tests.losses.loss_scenes import golden_scene

Z, Y = golden_scene()
FLOAT_MAPS = batch_maps(Y, 3)
CUT_MAPS = FLOAT_MAPS.trunc()  # the boundary loss's code keeps its maps as integers
EACH = {"per_image": True}
CHANNEL_1 = (Z[:, 1:2], (Y == 1).long())


def cut_prediction() -> torch.Tensor:
    """Inside distances of the predicted classes, cut to integers as in the original code."""
    guess = Z.argmax(1)
    inside = guess[:, None] == torch.arange(3)[:, None, None]
    return (batch_maps(guess, 3, signed=False) * inside).trunc()


GOLDEN = {
    "cross-entropy": (1.58770809, lambda: cross_entropy_loss(Z, Y)),
    "weighted cross-entropy": (1.38852044, lambda: cross_entropy_loss(Z, Y, weight=[0.2, 1, 3])),
    "GDL, LIVIAETS": (0.90283334, lambda: generalised_dice_loss(Z, Y, absent="epsilon", **EACH)),
    "GDL square, NiftyNet and MONAI": (0.82971614, lambda: generalised_dice_loss(Z, Y, **EACH)),
    "GDL square, pooled, NiftyNet": (0.89397358, lambda: generalised_dice_loss(Z, Y)),
    "GDL simple, MONAI": (
        0.76929910,
        lambda: generalised_dice_loss(Z, Y, weighting="simple", **EACH),
    ),
    "Dice, LIVIAETS and MONAI": (0.70926148, lambda: dice_loss(Z, Y, smooth=1e-10, **EACH)),
    "Dice squared, MONAI": (0.63285759, lambda: dice_loss(Z, Y, squared=True, **EACH)),
    "Tversky, MONAI": (0.71295359, lambda: tversky_loss(Z, Y, **EACH)),
    "Tversky pooled, smp": (0.70585901, lambda: tversky_loss(Z, Y)),
    "Tversky pooled, closed form": (0.70585910, lambda: tversky_loss(Z, Y, smooth=0)),
    "focal Tversky pooled": (0.76740735, lambda: focal_tversky_loss(Z, Y)),
    "focal Tversky per image": (0.77227803, lambda: focal_tversky_loss(Z, Y, **EACH)),
    "focal Tversky of the mean, smp": (0.77008468, lambda: focal_tversky_loss(Z, Y, focus="mean")),
    "focal, LIVIAETS and PortraitNet": (1.24569697, lambda: focal_loss(Z, Y)),
    "focal, MONAI softmax": (0.41523227, lambda: focal_loss(Z, Y) / 3),
    "focal, MONAI sigmoid": (0.48276991, lambda: focal_loss(Z, Y, form="sigmoid") / 3),
    "boundary, MONAI": (0.43558928, lambda: boundary_loss(Z, Y)),
    "boundary of the foreground": (1.05616391, lambda: boundary_loss(Z, Y, weight=[0, 1, 1])),
    "boundary, integer maps": (0.43333679, lambda: boundary_loss(Z, Y, distance=CUT_MAPS)),
    "distance maps, sum": (3125.11028902, lambda: FLOAT_MAPS.double().sum()),
    "distance maps, minimum": (-9.81665383, lambda: FLOAT_MAPS.min()),
    "distance maps, maximum": (15.62049935, lambda: FLOAT_MAPS.max()),
    "Hausdorff, LIVIAETS, predicted map cut": (
        2.92362714,
        lambda: hausdorff_loss(Z, Y, form="inside", predicted_distance=cut_prediction()),
    ),
    "Hausdorff of the foreground, MONAI": (
        5.53146643,
        lambda: hausdorff_loss(Z, Y, weight=[0, 1, 1]),
    ),
    "Lovasz softmax": (0.72915536, lambda: lovasz_softmax_loss(Z, Y)),
    "Lovasz softmax per image": (0.69487226, lambda: lovasz_softmax_loss(Z, Y, **EACH)),
    "Lovasz hinge per image": (2.12755108, lambda: lovasz_hinge_loss(*CHANNEL_1, **EACH)),
    "Lovasz hinge": (2.12755728, lambda: lovasz_hinge_loss(*CHANNEL_1)),
    "sensitivity-specificity": (
        0.56778082,
        lambda: sensitivity_specificity_loss(Z, Y, reduction="sum"),
    ),
    "sensitivity-specificity per image": (
        0.57802980,
        lambda: sensitivity_specificity_loss(Z, Y, reduction="sum", **EACH) / 2,
    ),
    "exponential-logarithmic": (1.17244760, lambda: exponential_logarithmic_loss(Z, Y)),
    "Wasserstein Dice": (0.81570656, lambda: wasserstein_dice_loss(Z, Y, **EACH)),
    "OHEM, GALD": (2.08325442, lambda: ohem_loss(Z, Y, min_kept=100)),
    "semantic encoding, EncNet": (
        0.69623880,
        lambda: semantic_encoding_loss(Z.mean((2, 3)), Y),
    ),
    "consistency, PortraitNet": (0.39366322, lambda: consistency_loss(Z, Z.flip(3))),
    "Dice + cross-entropy, MONAI": (
        2.29696957,
        lambda: dice_cross_entropy_loss(Z, Y, **EACH),
    ),
    "Dice + focal, MONAI": (
        1.19203139,
        lambda: dice_loss(Z, Y, **EACH) + focal_loss(Z, Y, form="sigmoid") / 3,
    ),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_published_value(name: str) -> None:
    expected, compute = GOLDEN[name]
    # the originals ran in float32: their own rounding is up to 3e-7 of the value
    assert float(compute()) == pytest.approx(expected, abs=1e-6, rel=2e-7)


def test_hausdorff_inside_without_the_cut() -> None:
    """The variant this package computes by default where the original cuts to integers."""
    assert float(hausdorff_loss(Z, Y, form="inside")) == pytest.approx(2.97714596, abs=1e-6)


def test_balanced_is_the_mean_of_class_means() -> None:
    values = cross_entropy_loss(Z, Y, reduction="none")
    means = [values[k == Y].mean() for k in range(3)]
    assert float(balanced_cross_entropy_loss(Z, Y)) == pytest.approx(float(sum(means) / 3))
