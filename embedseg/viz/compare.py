"""Prediction against truth in one picture: what was matched, split, merged, missed or invented.

With the share of a part in a whole = |part ∩ whole| / |part|:

- matched: a true and a predicted instance with IoU >= 0.5 (at most one partner each);
- merged: a prediction that holds more than half of each of two or more true instances;
- split: a true instance that holds more than half of each of two or more predictions;
- missed: a true instance that is none of these; spurious: such a prediction.

Merged and split go before matched, for a matched leaf that swallowed another is an error.
"""

from typing import NamedTuple

import numpy as np

from embedseg.labels import overlap_table
from embedseg.viz.arrays import Array, Picture
from embedseg.viz.colors import ground
from embedseg.viz.legend import HEIGHT
from embedseg.viz.overlay import _checked, boundaries
from embedseg.viz.text import text_width, write

COLORS: dict[str, tuple[int, int, int]] = {
    "matched": (0, 158, 115),
    "split": (240, 228, 66),
    "merged": (204, 121, 167),
    "missed": (213, 94, 0),
    "spurious": (86, 180, 233),
}
_MATCH_IOU = 0.5
_ALPHA = 0.6
_DIMMED = 0.6  # brightness left to the image, which turns grey, so that the verdicts stand out
_KEY_LEFT, _SWATCH = 2, 11


class Verdict(NamedTuple):
    """Ids by what happened to them; `merged` and `spurious` are predicted ids, the others true."""

    matched: list[int]
    split: list[int]
    merged: list[int]
    missed: list[int]
    spurious: list[int]


def judge(prediction: Array, truth: Array) -> tuple[Verdict, dict[int, str], dict[int, str]]:
    """Say what happened to every instance: lists, and the kind by predicted and by true id.

    Pixels ignored (-1) on either side take no part. In the two maps every id that touches a
    merge or a split carries that name.
    """
    pred_ids, true_ids, counts = overlap_table(np.asarray(prediction), np.asarray(truth))
    area_p, area_t = counts.sum(1), counts.sum(0)
    rows, columns = pred_ids > 0, true_ids > 0
    pred_ids, true_ids = pred_ids[rows], true_ids[columns]
    both = counts[np.ix_(rows, columns)]
    area_p, area_t = area_p[rows][:, None], area_t[columns][None]
    in_true = both > 0.5 * area_p  # prediction (row) lies mostly in truth (column)
    in_pred = both > 0.5 * area_t
    merges = in_pred.sum(1) >= 2
    splits = in_true.sum(0) >= 2
    hit = both >= _MATCH_IOU * (area_p + area_t - both)
    of_pred = _kinds(merges, (in_true & splits).any(1), hit.any(1), "spurious")
    of_true = _kinds((in_pred & merges[:, None]).any(0), splits, hit.any(0), "missed")
    verdict = Verdict(
        matched=true_ids[of_true == "matched"].tolist(),
        split=true_ids[of_true == "split"].tolist(),
        merged=pred_ids[of_pred == "merged"].tolist(),
        missed=true_ids[of_true == "missed"].tolist(),
        spurious=pred_ids[of_pred == "spurious"].tolist(),
    )
    return verdict, _by_id(pred_ids, of_pred), _by_id(true_ids, of_true)


def compare(image: Picture, prediction: Array, truth: Array, *, key: bool = False) -> Picture:
    """RGB uint8 picture (H, W, 3): predictions filled by their kind, missed truth filled too.

    The fill follows the prediction and, where nothing was predicted, the missed truth; white
    lines are the true outlines. `key` adds a strip below with the kinds and their numbers.
    """
    picture, prediction = _checked(image, prediction)
    _, truth = _checked(image, truth)
    verdict, of_pred, of_true = judge(prediction, truth)
    missed = {i: k for i, k in of_true.items() if k == "missed"}
    fill = _fill(truth, missed)
    over = _fill(prediction, of_pred)
    painted = over.any(-1)
    fill[painted] = over[painted]
    touched = fill.any(-1)
    picture = np.repeat((picture.mean(2, keepdims=True) * _DIMMED).astype(np.uint8), 3, axis=2)
    picture[touched] = ((1 - _ALPHA) * picture[touched] + _ALPHA * fill[touched]).astype(np.uint8)
    edge = boundaries(prediction)
    picture[edge] = over[edge]
    picture[boundaries(truth)] = 255
    return np.vstack([picture, key_strip(verdict, picture.shape[1])]) if key else picture


def key_strip(verdict: Verdict, width: int) -> Picture:
    """Picture of `width` pixels with the colour, name and number of each kind that occurs."""
    items = [(kind, f"{len(ids)} {kind}") for kind, ids in verdict._asdict().items() if ids]
    strip = ground(HEIGHT, width)
    size = _largest_letters([text for _, text in items], width)
    words: list[tuple[str, float, float]] = []
    x = _KEY_LEFT
    for kind, text in items:
        strip[8:19, x : x + _SWATCH] = COLORS[kind]
        words.append((text, x + _SWATCH + 4, HEIGHT / 2))
        x += _SWATCH + 4 + text_width(text, size) + size
    return write(strip, words, size=size, anchor="lm")


def _largest_letters(texts: list[str], width: int) -> int:
    """Letter size at which all texts, their swatches and gaps fit into `width`, at least 8."""
    for size in range(13, 8, -1):
        needed = sum(_SWATCH + 4 + text_width(text, size) + size for text in texts)
        if _KEY_LEFT + needed - size <= width:
            return size
    return 8


def _kinds(merged: Array, split: Array, hit: Array, otherwise: str) -> Array:
    return np.where(merged, "merged", np.where(split, "split", np.where(hit, "matched", otherwise)))


def _by_id(ids: Array, kinds: Array) -> dict[int, str]:
    return {int(i): str(k) for i, k in zip(ids, kinds, strict=True)}


def _fill(labels: Array, kinds: dict[int, str]) -> Picture:
    """Colour (H, W, 3) of each pixel's kind, black where it has none."""
    found, inverse = np.unique(labels, return_inverse=True)
    table = np.zeros((len(found), 3), np.uint8)
    for row, label in enumerate(found.tolist()):
        if label in kinds:
            table[row] = COLORS[kinds[label]]
    return table[inverse.reshape(labels.shape)]
