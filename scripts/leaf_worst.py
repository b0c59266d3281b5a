"""The pictures a leaf model does worst on: a sheet to look at, and what went wrong in words."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from embedseg.data import open_dataset
from embedseg.io import read_rows
from embedseg.model import Model, find_weights
from embedseg.viz.compare import judge
from embedseg.viz.sheet import SheetRow, write_sample_sheet

Labels = NDArray[np.int32]


class Scored(NamedTuple):
    """A picture's score and the run that it was scored with."""

    score: float
    name: str
    run: Path


def worst_of(tables: Sequence[tuple[Path, Path]], count: int) -> list[Scored]:
    """Return the `count` pictures of least SBD in tables of scores, each with its run."""
    found = []
    for table, run in tables:
        rows = (row for row in read_rows(table)[1] if row["true"])  # not the means
        found += [Scored(float(row["SBD"]), row["image"], run) for row in rows]
    return sorted(found)[:count]


def show_worst(data: str, scored: Sequence[Scored], out: Path) -> str:
    """Write OUT/worst.png, a row per picture, and return a table of what went wrong in Markdown.

    A row shows image, truth, prediction and errors. Tuning of the runs is not looked at.
    """
    samples = open_dataset(data)
    lines = ["| worst | SBD | leaves | found | missed | merged | pixels of the missed and merged |",
             "|---|---:|---:|---:|---:|---:|---|"]  # fmt: skip
    rows = []
    for score, name, run in scored:
        sample = samples.load(name)
        result = Model.load(find_weights(run)).segment(sample.image)
        rows.append(
            SheetRow(sample.image, name, sample.labels, result.labels, note=f"SBD {score:.3f}")
        )
        lines.append(f"| {name} | {100 * score:.1f} | {told(result.labels, sample.labels)} |")
    write_sample_sheet(out / "worst.png", rows, tile=400)
    return "\n".join(lines)


def told(prediction: Labels, truth: Labels) -> str:
    """Return numbers of leaves, and the areas of those that were missed or lie in a merged one."""
    _, of_found, of_true = judge(prediction, truth)
    missed, merged = ([i for i, k in of_true.items() if k == kind] for kind in ("missed", "merged"))
    areas = sorted(np.count_nonzero(truth == i) for i in (*missed, *merged))
    numbers = (len(of_true), len(of_found), len(missed), len(merged), ", ".join(map(str, areas)))
    return " | ".join(map(str, numbers))
