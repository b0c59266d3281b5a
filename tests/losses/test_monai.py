"""MONAI as a second oracle, where it is installed and has the loss."""

import pytest
import torch

from embedseg.losses import (
    boundary_loss,
    dice_cross_entropy_loss,
    dice_loss,
    focal_loss,
    generalised_dice_loss,
    hausdorff_loss,
    jaccard_loss,
    tversky_loss,
    wasserstein_dice_loss,
)
from tests.losses.loss_scenes import golden_scene

monai = pytest.importorskip("monai.losses", reason="MONAI is not installed")

Z, Y = golden_scene()
TRUTH = Y[:, None]
SOFT = {"softmax": True, "to_onehot_y": True}
FINE = {"smooth_nr": 1e-12, "smooth_dr": 1e-12}  # its 1e-5 is much beside weights of 1/size^2
EACH = {"per_image": True}
MATRIX = torch.tensor([[0.0, 1, 1], [1, 0, 0.4], [1, 0.4, 0]], dtype=torch.float64)

PAIRS = {
    "dice": (lambda: monai.DiceLoss(**SOFT), lambda: dice_loss(Z, Y, **EACH)),
    "dice, pooled": (lambda: monai.DiceLoss(batch=True, **SOFT), lambda: dice_loss(Z, Y)),
    "dice, squared": (
        lambda: monai.DiceLoss(squared_pred=True, **SOFT),
        lambda: dice_loss(Z, Y, squared=True, **EACH),
    ),
    "jaccard": (
        lambda: monai.DiceLoss(jaccard=True, **SOFT),
        lambda: jaccard_loss(Z, Y, **EACH),
    ),
    "tversky": (
        lambda: monai.TverskyLoss(alpha=0.2, beta=0.9, **SOFT),
        lambda: tversky_loss(Z, Y, alpha=0.2, beta=0.9, **EACH),
    ),
    "gdl": (
        lambda: monai.GeneralizedDiceLoss(**SOFT, **FINE),
        lambda: generalised_dice_loss(Z, Y, **EACH),
    ),
    "gdl, simple": (
        lambda: monai.GeneralizedDiceLoss(w_type="simple", **SOFT, **FINE),
        lambda: generalised_dice_loss(Z, Y, weighting="simple", **EACH),
    ),
    "focal": (
        lambda: monai.FocalLoss(gamma=1.5, use_softmax=True, to_onehot_y=True),
        lambda: focal_loss(Z, Y, gamma=1.5) / 3,
    ),
    "focal, sigmoid": (
        lambda: monai.FocalLoss(gamma=1.5, to_onehot_y=True),
        lambda: focal_loss(Z, Y, gamma=1.5, form="sigmoid") / 3,
    ),
    "hausdorff": (
        lambda: monai.HausdorffDTLoss(alpha=1.5, include_background=True, **SOFT),
        lambda: hausdorff_loss(Z, Y, power=1.5),
    ),
    "dice + cross-entropy": (
        lambda: monai.DiceCELoss(**SOFT),
        lambda: dice_cross_entropy_loss(Z, Y, **EACH),
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_agrees(name: str) -> None:
    theirs, ours = PAIRS[name]
    # MONAI adds 1e-5 to its ratios and works on float32 targets
    assert float(ours()) == pytest.approx(float(theirs()(Z, TRUTH)), abs=3e-6)


def test_wasserstein_dice_agrees() -> None:
    theirs = monai.GeneralizedWassersteinDiceLoss(MATRIX)(Z, Y)
    ours = wasserstein_dice_loss(Z, Y, distances=MATRIX, per_image=True)
    assert float(ours) == pytest.approx(float(theirs), abs=3e-6)


@pytest.mark.skipif(not hasattr(monai, "BoundaryLoss"), reason="this MONAI has no BoundaryLoss")
def test_boundary_agrees() -> None:
    theirs = monai.BoundaryLoss(**SOFT)(Z, TRUTH)
    assert float(boundary_loss(Z, Y)) == pytest.approx(float(theirs), abs=3e-6)
