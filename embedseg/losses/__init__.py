"""Losses: functions of tensors, thin modules around them, and the registry LOSSES."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from embedseg.losses.band import BandLoss, band_loss, band_target
from embedseg.losses.border import BorderLoss, border_loss, border_target
from embedseg.losses.boundary import BoundaryLoss, boundary_loss
from embedseg.losses.boundary_schedule import boundary_weights, scheduled
from embedseg.losses.catalogue import LossInfo, catalogue
from embedseg.losses.category_consistent import (
    CategoryConsistentLoss,
    CategoryTerms,
    category_consistent_loss,
)
from embedseg.losses.class_frequency import (
    BalancedCrossEntropyLoss,
    BoundedCrossEntropyLoss,
    balanced_cross_entropy_loss,
    balanced_weights,
    bounded_cross_entropy_loss,
    bounded_inverse_weights,
)
from embedseg.losses.combine import WeightedSum, combined_loss
from embedseg.losses.consistency import ConsistencyLoss, consistency_loss
from embedseg.losses.cross_entropy import (
    BinaryCrossEntropyLoss,
    CrossEntropyLoss,
    binary_cross_entropy_loss,
    cross_entropy_loss,
)
from embedseg.losses.deep_supervision import deep_supervision, resize_labels
from embedseg.losses.dice import DiceLoss, dice_loss
from embedseg.losses.discriminative import (
    DiscriminativeLoss,
    DiscriminativeTerms,
    discriminative_loss,
)
from embedseg.losses.distance_maps import DistanceCache, border_distance_maps, signed_distance_maps
from embedseg.losses.exponential_logarithmic import (
    ExponentialLogarithmicLoss,
    exponential_logarithmic_loss,
)
from embedseg.losses.focal import FocalLoss, focal_loss
from embedseg.losses.generalised_dice import GeneralisedDiceLoss, generalised_dice_loss
from embedseg.losses.hard_pixels import OHEMLoss, TopKLoss, ohem_loss, topk_loss
from embedseg.losses.hausdorff import HausdorffLoss, hausdorff_loss
from embedseg.losses.instance_cross_entropy import (
    InstanceCrossEntropyLoss,
    instance_cross_entropy_loss,
    instance_size_weights,
)
from embedseg.losses.jaccard import JaccardLoss, jaccard_loss
from embedseg.losses.ldam import LDAMLoss, ldam_loss
from embedseg.losses.lovasz import (
    LovaszHingeLoss,
    LovaszSoftmaxLoss,
    lovasz_hinge_loss,
    lovasz_softmax_loss,
)
from embedseg.losses.mcc import MCCLoss, mcc_loss
from embedseg.losses.refine import RefineLoss, refine_loss
from embedseg.losses.semantic_encoding import (
    SemanticEncodingLoss,
    presence_target,
    semantic_encoding_loss,
)
from embedseg.losses.sensitivity_specificity import (
    SensitivitySpecificityLoss,
    sensitivity_specificity_loss,
)
from embedseg.losses.sums import (
    DiceCrossEntropyLoss,
    DiceFocalLoss,
    GeneralisedDiceBoundaryLoss,
    dice_cross_entropy_loss,
    dice_focal_loss,
    generalised_dice_boundary_loss,
)
from embedseg.losses.tversky import FocalTverskyLoss, TverskyLoss, focal_tversky_loss, tversky_loss
from embedseg.losses.wasserstein_dice import WassersteinDiceLoss, wasserstein_dice_loss

# (logits, target, *, ignore_index, weight, reduction, per_image, ...): names for `loss: {name: 1}`
LOSSES: dict[str, Callable[..., Tensor]] = {
    "balanced_cross_entropy": balanced_cross_entropy_loss,
    "band": band_loss,
    "bce": binary_cross_entropy_loss,
    "boundary": boundary_loss,
    "bounded_cross_entropy": bounded_cross_entropy_loss,
    "cross_entropy": cross_entropy_loss,
    "dice": dice_loss,
    "dice_cross_entropy": dice_cross_entropy_loss,
    "dice_focal": dice_focal_loss,
    "exponential_logarithmic": exponential_logarithmic_loss,
    "focal": focal_loss,
    "focal_tversky": focal_tversky_loss,
    "generalised_dice": generalised_dice_loss,
    "generalised_dice_boundary": generalised_dice_boundary_loss,
    "hausdorff": hausdorff_loss,
    "instance_cross_entropy": instance_cross_entropy_loss,
    "jaccard": jaccard_loss,
    "ldam": ldam_loss,
    "lovasz_hinge": lovasz_hinge_loss,
    "lovasz_softmax": lovasz_softmax_loss,
    "mcc": mcc_loss,
    "ohem": ohem_loss,
    "refine": refine_loss,
    "sensitivity_specificity": sensitivity_specificity_loss,
    "topk": topk_loss,
    "tversky": tversky_loss,
    "wasserstein_dice": wasserstein_dice_loss,
}

# losses with inputs or a head of their own
SIDE_LOSSES: dict[str, Callable[..., Any]] = {
    "border": border_loss,
    "category_consistent": category_consistent_loss,
    "consistency": consistency_loss,
    "semantic_encoding": semantic_encoding_loss,
    "deep_supervision": deep_supervision,
    "discriminative": discriminative_loss,
}

__all__ = [
    "LOSSES",
    "SIDE_LOSSES",
    "BalancedCrossEntropyLoss",
    "BandLoss",
    "BinaryCrossEntropyLoss",
    "BorderLoss",
    "BoundaryLoss",
    "BoundedCrossEntropyLoss",
    "CategoryConsistentLoss",
    "CategoryTerms",
    "ConsistencyLoss",
    "CrossEntropyLoss",
    "DiceCrossEntropyLoss",
    "DiceFocalLoss",
    "DiceLoss",
    "DiscriminativeLoss",
    "DiscriminativeTerms",
    "DistanceCache",
    "ExponentialLogarithmicLoss",
    "FocalLoss",
    "FocalTverskyLoss",
    "GeneralisedDiceBoundaryLoss",
    "GeneralisedDiceLoss",
    "HausdorffLoss",
    "InstanceCrossEntropyLoss",
    "JaccardLoss",
    "LDAMLoss",
    "LossInfo",
    "LovaszHingeLoss",
    "LovaszSoftmaxLoss",
    "MCCLoss",
    "OHEMLoss",
    "RefineLoss",
    "SemanticEncodingLoss",
    "SensitivitySpecificityLoss",
    "TopKLoss",
    "TverskyLoss",
    "WassersteinDiceLoss",
    "WeightedSum",
    "balanced_cross_entropy_loss",
    "balanced_weights",
    "band_loss",
    "band_target",
    "binary_cross_entropy_loss",
    "border_distance_maps",
    "border_loss",
    "border_target",
    "boundary_loss",
    "boundary_weights",
    "bounded_cross_entropy_loss",
    "bounded_inverse_weights",
    "catalogue",
    "category_consistent_loss",
    "combined_loss",
    "consistency_loss",
    "cross_entropy_loss",
    "deep_supervision",
    "dice_cross_entropy_loss",
    "dice_focal_loss",
    "dice_loss",
    "discriminative_loss",
    "exponential_logarithmic_loss",
    "focal_loss",
    "focal_tversky_loss",
    "generalised_dice_boundary_loss",
    "generalised_dice_loss",
    "hausdorff_loss",
    "instance_cross_entropy_loss",
    "instance_size_weights",
    "jaccard_loss",
    "ldam_loss",
    "lovasz_hinge_loss",
    "lovasz_softmax_loss",
    "mcc_loss",
    "ohem_loss",
    "presence_target",
    "refine_loss",
    "resize_labels",
    "scheduled",
    "semantic_encoding_loss",
    "sensitivity_specificity_loss",
    "signed_distance_maps",
    "topk_loss",
    "tversky_loss",
    "wasserstein_dice_loss",
]
