"""Folds of plants, no plant in two: lists of names for `embedseg train`; scores over them."""

import statistics
from collections.abc import Sequence
from pathlib import Path

from embedseg.data import open_dataset
from embedseg.data.splits import grouped_folds, read_names
from embedseg.io import InputError, write_text

Lists = tuple[Path, Path]


def write_folds(data: str, count: int, out: Path) -> list[Lists]:
    """Write train.txt and val.txt into fold0, fold1, ... of `out` and return their paths.

    Pictures of one plant, as the data set's `plant_groups.json` tells, stay together. Raises
    ValueError for a `count` outside 2 .. number of groups, InputError where other folds lie there.
    """
    samples = open_dataset(data)
    folds = []
    for number, names in enumerate(grouped_folds(samples.names, samples.groups, count)):
        folder = out / f"fold{number}"
        files = folder / "train.txt", folder / "val.txt"
        for file, part in zip(files, names, strict=True):
            keep_list(file, part)
        folds.append(files)
    return folds


def keep_list(file: Path, names: Sequence[str]) -> None:
    """Write the `names`; InputError where `file` lists others, of which results may lie beside."""
    if file.is_file() and read_names(file, names) != list(names):
        raise InputError(f"{file} lists other pictures, of an earlier call; choose another --out")
    write_text(file, "\n".join(names) + "\n")


def describe_groups(data: str, count: int) -> str:
    """Return what the folds keep together, in a sentence; honest where no groups are known."""
    samples = open_dataset(data)
    if not samples.groups:
        return f"{count} folds of single pictures: no plant_groups.json tells which show one plant"
    return f"{count} folds; the {len(samples.groups)} groups of one plant's pictures stay together"


def spread(values: Sequence[float], digits: int = 3, sign: str = "") -> str:
    """Return the mean over folds and, of several, the standard deviation."""
    mean = f"{statistics.fmean(values):{sign}.{digits}f}"
    return mean if len(values) < 2 else f"{mean} ± {statistics.stdev(values):.{digits}f}"
