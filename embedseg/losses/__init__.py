"""Losses: functions of tensors, thin modules around them, and the registry LOSSES."""

from embedseg.losses.combine import WeightedSum, combined_loss
from embedseg.losses.cross_entropy import (
    BinaryCrossEntropyLoss,
    CrossEntropyLoss,
    binary_cross_entropy_loss,
    cross_entropy_loss,
)
from embedseg.losses.dice import DiceLoss, dice_loss

LOSSES = {
    "bce": binary_cross_entropy_loss,
    "cross_entropy": cross_entropy_loss,
    "dice": dice_loss,
}

__all__ = [
    "LOSSES",
    "BinaryCrossEntropyLoss",
    "CrossEntropyLoss",
    "DiceLoss",
    "WeightedSum",
    "binary_cross_entropy_loss",
    "combined_loss",
    "cross_entropy_loss",
    "dice_loss",
]
