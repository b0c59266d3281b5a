"""The scores of a set of images: a row for each image, a summary, and both on paper.

In the summary SBD, BestDice, FgBgDice, DiC and |DiC| are means over images, as the leaf challenge
reports them; AP, F1 and PQ come from counts pooled over the set, not from averaged ratios. The
means over images of all columns stand beside it.
"""

import csv
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from embedseg.labels import Labels
from embedseg.metrics.instance import (
    THRESHOLDS,
    best_dice_of,
    f1_of,
    panoptic_of,
    precision_of,
)
from embedseg.metrics.matching import Counts, count_matches, iou_table, overlap, pool
from embedseg.metrics.ranking import Ranked, rank, ranked_average_precision
from embedseg.metrics.semantic import foreground_dice

Pair = tuple[str, Labels, Labels] | tuple[str, Labels, Labels, Mapping[int, float]]

# P is the prediction and G the truth ("ground"), as the challenge writes them.
MEANS = ("SBD", "|DiC|", "DiC", "BestDice_PG", "BestDice_GP", "FgBgDice")
POOLED = ("AP50", "AP75", "mAP", "PQ", "SQ", "RQ", "F1")
RANKED = ("COCO_AP50", "COCO_AP75", "COCO_mAP")


@dataclass(frozen=True)
class ImageScore:
    """One image's part: its own means, and its counts for pooling. It can be pickled."""

    name: str
    predicted: int  # number of instances
    true: int
    best_dice_pg: float
    best_dice_gp: float
    fg_dice: float
    counts: tuple[Counts, ...]  # at IoU >= each of THRESHOLDS
    panoptic: Counts  # at IoU > 0.5
    ranked: Ranked | None  # where predictions came with scores

    def row(self) -> dict[str, float]:
        """Return this image's value of every column."""
        difference = self.predicted - self.true
        sbd = min(self.best_dice_pg, self.best_dice_gp)
        own = (sbd, abs(difference), difference, self.best_dice_pg, self.best_dice_gp, self.fg_dice)
        return dict(zip(MEANS, own, strict=True)) | _pooled([self])


@dataclass(frozen=True)
class Scores:
    """Scores of a set of images, in columns by name.

    SBD, |DiC|, DiC, BestDice_PG, BestDice_GP, FgBgDice as in `instance.py`; AP50, AP75 and mAP
    (the mean over IoU 0.5:0.05:0.95) of TP / (TP + FP + FN); PQ, SQ, RQ at IoU > 0.5; F1 at
    IoU >= 0.5; and, where every prediction came with scores, COCO_AP50, COCO_AP75 and COCO_mAP
    as in `ranking.py`.
    """

    images: tuple[ImageScore, ...]

    @property
    def rows(self) -> list[tuple[str, dict[str, float]]]:
        """Return each image's name and columns, in the order given."""
        return [(image.name, image.row()) for image in self.images]

    @property
    def mean(self) -> dict[str, float]:
        """Return the mean over images of every column."""
        rows = [image.row() for image in self.images]
        shared = [key for key in rows[0] if all(key in row for row in rows)]
        return {key: float(np.mean([row[key] for row in rows])) for key in shared}

    @property
    def summary(self) -> dict[str, float]:
        """Return means over images of the challenge's scores, the others from pooled counts."""
        mean = self.mean
        return {key: mean[key] for key in MEANS} | _pooled(self.images)

    def to_table(self) -> str:
        """Return a text table: a line for each image, the means, the pooled scores."""
        summary = self.summary
        lines = [*self.rows, ("mean of images", self.mean)]
        lines.append(("pooled", _pooled(self.images)))
        width = max(len(name) for name, _ in lines)
        heads = f"{'image':<{width}}" + "".join(f"{key:>{_width(key)}}" for key in summary)
        body = [
            f"{name:<{width}}" + "".join(_cell(key, row.get(key)) for key in summary)
            for name, row in lines
        ]
        rule = "-" * len(heads)
        return "\n".join([heads, rule, *body[:-2], rule, *body[-2:]])

    def to_csv(self, path: str | Path) -> None:
        """Write the rows of `to_table` in full precision; the numbers of instances come first."""
        columns = ("image", "predicted", "true", *self.summary)
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, restval="", extrasaction="ignore")
        writer.writeheader()
        for image in self.images:
            own = {"image": image.name, "predicted": image.predicted, "true": image.true}
            writer.writerow(own | image.row())
        writer.writerow({"image": "mean of images"} | self.mean)
        writer.writerow({"image": "pooled"} | _pooled(self.images))
        # bytes of names that are no UTF-8 go out as they are
        Path(path).write_bytes(text.getvalue().encode("utf-8", "surrogateescape"))

    def to_json(self, path: str | Path) -> None:
        """Write {"summary": {...}, "mean": {...}, "images": [{"image": name, ...}, ...]}."""
        images = [{"image": name} | row for name, row in self.rows]
        content = {"summary": self.summary, "mean": self.mean, "images": images}
        Path(path).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def score_images(pairs: Iterable[Pair]) -> Scores:
    """Score (name, prediction, truth) of each image; a fourth item maps ids to confidences.

    Raises ValueError where there is no image or a pair differs in shape.
    """
    images = tuple(score_image(*pair) for pair in pairs)
    if not images:
        raise ValueError("pairs is empty; give at least one (name, prediction, truth)")
    return Scores(images)


def score_image(
    name: str, prediction: Labels, truth: Labels, scores: Mapping[int, float] | None = None
) -> ImageScore:
    """Score one image; `Scores(tuple(...))` of such, from any process, is the set's result."""
    if np.shape(prediction) != np.shape(truth):
        raise ValueError(
            f"{name}: the prediction has shape {np.shape(prediction)} and the truth "
            f"{np.shape(truth)}; score at the truth's own size"
        )
    table = overlap(prediction, truth)
    iou = iou_table(table)
    return ImageScore(
        name=name,
        predicted=len(table.predicted),
        true=len(table.true),
        best_dice_pg=best_dice_of(table),
        best_dice_gp=best_dice_of(table.flipped()),
        fg_dice=foreground_dice(prediction, truth),
        counts=tuple(count_matches(iou, threshold) for threshold in THRESHOLDS),
        panoptic=count_matches(iou, 0.5, strict=True),
        ranked=None if scores is None else rank(table, scores),
    )


def _pooled(images: Iterable[ImageScore]) -> dict[str, float]:
    images = list(images)
    counts = [pool(at) for at in zip(*(image.counts for image in images), strict=True)]
    precision = [precision_of(at) for at in counts]
    quality = panoptic_of(pool(image.panoptic for image in images))
    values = (*_three(precision), *quality, f1_of(counts[0]))
    row = dict(zip(POOLED, values, strict=True))
    ranked = [image.ranked for image in images if image.ranked is not None]
    if len(ranked) == len(images):
        row |= zip(RANKED, _three(ranked_average_precision(ranked).tolist()), strict=True)
    return row


def _three(precision: list[float]) -> tuple[float, float, float]:
    """Return the precision at 0.5, at 0.75, and the mean over THRESHOLDS."""
    at = dict(zip(THRESHOLDS, precision, strict=True))
    return at[0.5], at[0.75], float(np.mean(precision))


def _width(key: str) -> int:
    return max(len(key), 6) + 2


def _cell(key: str, value: float | None) -> str:
    if value is None:
        return " " * _width(key)
    text = f"{value:+.2f}" if key == "DiC" else f"{value:.2f}" if key == "|DiC|" else f"{value:.4f}"
    return f"{text:>{_width(key)}}"
