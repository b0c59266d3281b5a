"""Folds of a data set of plants, no plant in two: lists of names for `embedseg train`."""

from collections.abc import Sequence
from pathlib import Path

from embedseg.data import open_dataset
from embedseg.data.splits import grouped_folds, read_names
from embedseg.io import InputError, atomic_path

Lists = tuple[Path, Path]


def write_folds(data: str, count: int, out: Path, *, seed: int = 0) -> list[Lists]:
    """Write train.txt and val.txt into fold0, fold1, ... of `out` and return their paths.

    Pictures of one plant, as the data set's `plant_groups.json` tells, stay together. Raises
    ValueError for a `count` outside 2 .. number of groups, InputError where other folds lie there.
    """
    samples = open_dataset(data)
    folds = []
    for number, names in enumerate(grouped_folds(samples.names, samples.groups, count, seed)):
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
    file.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(file) as temporary:
        temporary.write_text("\n".join(names) + "\n")


def describe_groups(data: str, count: int) -> str:
    """Return what the folds keep together, in a sentence; honest where no groups are known."""
    samples = open_dataset(data)
    if not samples.groups:
        return f"{count} folds of single pictures: no plant_groups.json tells which show one plant"
    return f"{count} folds; the {len(samples.groups)} groups of one plant's pictures stay together"
