"""Splits of a data set: lists of names in text files, and K folds that keep groups together."""

import json
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

import numpy as np

from embedseg.io import InputError
from embedseg.io.listing import IMAGE_SUFFIXES
from embedseg.names import composed

IMAGE_ENDINGS = (*sorted(IMAGE_SUFFIXES), ".npy")


def read_names(path: Path, known: Iterable[str] = ()) -> list[str]:
    """Read one name a line; blank lines and lines that start with # are left out.

    A name may carry the ending of an image file (`a.PNG`, `plant001_rgb.png`), which is cut off
    unless the name as it is written, or without its file's ending alone, is among the `known`.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a readable list of names ({error})") from error
    samples = {composed(name): name for name in known}
    names = [composed(line.strip()) for line in lines]
    bare = [_bare(name, samples) for name in names if name and not name.startswith("#")]
    return [samples.get(name, name) for name in bare]


def read_groups(path: Path) -> list[list[str]]:
    """Read groups of names: a JSON list of lists of strings."""
    try:
        groups = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a readable JSON file ({error})") from error
    if not isinstance(groups, list) or not all(
        isinstance(group, list) and all(isinstance(name, str) for name in group) for group in groups
    ):
        raise InputError(f'{path}: must hold a list of lists of names, [["a", "b"], ["c"]]')
    return groups


def find_splits(
    folder: Path, known: Sequence[str], *, partial: bool = False
) -> dict[str, list[str]]:
    """Return the split lists `train.txt`, `val.txt` and `test.txt` that lie in `folder`.

    A name that means no sample of `known`, or several, raises InputError; with `partial` the lists
    may name more than is known, and what is not known is left out.
    """
    splits: dict[str, list[str]] = {}
    for key in ("train", "val", "test"):
        path = folder / f"{key}.txt"
        if path.is_file():
            names = read_names(path, {*known, *map(_last, known)})
            splits[key] = match_names(names, known, path, partial=partial)
    return splits


def match_names(
    names: Sequence[str], known: Sequence[str], path: Path, *, partial: bool = False
) -> list[str]:
    """Return the samples of `known` that the `names` read from `path` mean; see `find_splits`."""
    if partial:
        ends = {*known, *map(_last, known)}
        names = [name for name in names if name in ends]
    return [match_name(name, known, path) for name in names]


def match_name(name: str, known: Sequence[str], path: Path) -> str:
    """Return the sample of `known` that `name`, read from `path`, means.

    It is the sample of this name, or the only one whose name ends in it after a slash.
    """
    if name in known:
        return name
    matches = [sample for sample in known if _last(sample) == name]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise InputError(f"{path}: {name!r} may be any of {', '.join(matches)}; write one of these")
    raise InputError(
        f"{path}: lists {name!r}, which is not among the {len(known)} labelled samples"
    )


def grouped_folds(
    names: Sequence[str], groups: Iterable[Iterable[str]], k: int, seed: int = 0
) -> list[tuple[list[str], list[str]]]:
    """Return K pairs (train names, validation names) in which no group is separated.

    Groups are shuffled by `seed` and dealt, large ones first, to the smallest fold so far, so that
    the folds have nearly equal sizes. A name in no group is a group of its own; members that are
    not in `names` are left out. Both lists keep the order of `names`.
    """
    wanted = dict.fromkeys(names)
    parts = [[name for name in group if name in wanted] for group in groups]
    grouped = [name for part in parts for name in part]
    if len(grouped) != len(set(grouped)):
        twice = next(name for name in grouped if grouped.count(name) > 1)
        raise ValueError(f"groups name {twice!r} more than once; a sample belongs to one group")
    parts += [[name] for name in wanted.keys() - set(grouped)]
    parts = sorted((sorted(part) for part in parts if part), key=lambda part: part[0])
    if not 2 <= k <= len(parts):
        raise ValueError(f"k must be between 2 and the {len(parts)} groups, got {k}")

    order = np.random.default_rng(seed).permutation(len(parts))
    folds: list[list[str]] = [[] for _ in range(k)]
    for part in sorted((parts[i] for i in order), key=len, reverse=True):
        min(folds, key=len).extend(part)
    held_out = [set(fold) for fold in folds]
    return [
        ([name for name in wanted if name not in held], [name for name in wanted if name in held])
        for held in held_out
    ]


def _last(sample: str) -> str:
    """Return what follows the last slash of a sample's name."""
    return sample.rsplit("/", 1)[-1]


def _bare(name: str, known: Collection[str]) -> str:
    """Cut the ending of an image file off a listed name, then `_rgb`, until it is known."""
    if name in known:
        return name
    ending = next((end for end in IMAGE_ENDINGS if name.lower().endswith(end)), "")
    stem = name[: len(name) - len(ending)]
    return stem if stem in known else stem.removesuffix("_rgb")
