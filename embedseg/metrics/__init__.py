"""Scores: arrays in, numbers out."""

from embedseg.metrics.instance import (
    PanopticQuality,
    average_precision,
    best_dice,
    difference_in_count,
    f1,
    panoptic_quality,
    symmetric_best_dice,
)
from embedseg.metrics.semantic import class_iou, foreground_dice, foreground_iou
from embedseg.metrics.table import ImageScore, Scores, score_image, score_images

__all__ = [
    "ImageScore",
    "PanopticQuality",
    "Scores",
    "average_precision",
    "best_dice",
    "class_iou",
    "difference_in_count",
    "f1",
    "foreground_dice",
    "foreground_iou",
    "panoptic_quality",
    "score_image",
    "score_images",
    "symmetric_best_dice",
]
