"""Validation by the real score, through the same segmentation that users get."""

from operator import itemgetter
from pathlib import Path

import numpy as np

from embedseg.data import Dataset
from embedseg.errors import InputError
from embedseg.metrics import ImageScore, Scores, score_image
from embedseg.model import Model
from embedseg.training.distributed import World
from embedseg.viz import SheetRow, write_sample_sheet

SHOWN = 4  # images on the sample sheet


def validate(
    model: Model, samples: Dataset, where: World, sheet: Path | None = None
) -> dict[str, float]:
    """Score `model` on `samples`; each process segments its part, all get the figures.

    The figures are those of metrics.csv. `sheet` names a picture of the first images, whose
    colours agree with those of the sheets already beside it. Raises InputError for an image that
    the network gives outputs which are not finite.
    """
    found: list[tuple[int, ImageScore]] = []
    rows: list[SheetRow] = []
    for index in range(where.rank, len(samples), where.size):
        sample = samples[index]
        try:
            result = model.segment(sample.image)
        except InputError as error:  # its array is a picture, so the outputs are at fault
            raise InputError(
                f"validation image {sample.name!r}: the network's outputs are not finite, the "
                "training diverged; start another run with a lower --optimizer.learning_rate or "
                "--amp off"
            ) from error
        found.append((index, score_image(sample.name, result.labels, sample.labels, result.scores)))
        if len(rows) < SHOWN and sheet is not None and where.leads:
            rows.append(
                SheetRow(
                    sample.image,
                    sample.name,
                    sample.labels,
                    result.labels,
                    result.embedding,
                    (result.semantic[0] < 0.5).astype(np.uint8),
                )
            )
    parts = sorted((item for part in where.gather(found) for item in part), key=itemgetter(0))
    scores = Scores(tuple(image for _, image in parts))
    if rows and sheet is not None:
        write_sample_sheet(sheet, rows)
    return summarise(scores)


def summarise(scores: Scores) -> dict[str, float]:
    """Return the figures that are watched while training."""
    s = scores.summary
    return {
        "val_sbd": s["SBD"],
        "val_abs_dic": s["|DiC|"],
        "val_foreground_dice": s["FgBgDice"],
        "val_ap50": s["AP50"],
        "val_pq": s["PQ"],
    }
