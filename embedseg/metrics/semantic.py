"""Scores of masks and class maps, where instances do not matter.

Pixels that are IGNORE (-1) in either array take no part. Foreground is every value > 0, so that
masks, class maps and label images can be given alike; a ValueError refuses probabilities.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from embedseg.labels import IGNORE, checked, overlap_table

Array = npt.NDArray[Any]


def foreground_dice(prediction: Array, truth: Array) -> float:
    """Return 2 |P and G| / (|P| + |G|) of the foregrounds; 1 if both are empty.

    This is FgBgDice of the CVPPP challenge.
    """
    both, predicted, true = _foreground_counts(prediction, truth)
    return 2 * both / (predicted + true) if predicted + true else 1.0


def foreground_iou(prediction: Array, truth: Array) -> float:
    """Return |P and G| / |P or G| of the foregrounds; 1 if both are empty."""
    both, predicted, true = _foreground_counts(prediction, truth)
    return both / (predicted + true - both) if predicted + true else 1.0


def class_iou(prediction: Array, truth: Array, classes: int) -> npt.NDArray[np.float64]:
    """Return the IoU of each class 0..classes-1; NaN for a class that is in neither array."""
    ids_p, ids_t, counts = overlap_table(prediction, truth)
    largest = max(ids_p.max(initial=0), ids_t.max(initial=0))
    if largest >= classes:
        raise ValueError(f"class {largest} is outside 0..{classes - 1}; raise classes={classes}")
    confusion = np.zeros((classes, classes), np.int64)
    confusion[np.ix_(ids_p, ids_t)] = counts
    union = confusion.sum(0) + confusion.sum(1) - np.diag(confusion)
    return np.where(union > 0, np.diag(confusion) / np.maximum(union, 1), np.nan)


def _foreground_counts(prediction: Array, truth: Array) -> tuple[int, int, int]:
    """Return the pixels of both foregrounds, of the predicted one, of the true one."""
    prediction, truth = checked(prediction), checked(truth)
    if prediction.shape != truth.shape:
        raise ValueError(f"prediction and truth differ in shape: {prediction.shape}, {truth.shape}")
    p = (prediction > 0) & (truth != IGNORE)
    t = (truth > 0) & (prediction != IGNORE)
    return int((p & t).sum()), int(p.sum()), int(t.sum())
