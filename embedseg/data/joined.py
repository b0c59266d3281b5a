"""Data sets by description: one, "name:where#split", or several, "A + 20*B"."""

import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from embedseg.data.sample import Dataset, Sample
from embedseg.names import unknown

Openers = Mapping[str, Callable[[str], Dataset]]

TIMES = re.compile(r"(\d+)\*(.*)", re.DOTALL)


def open_joined(spec: str, openers: Openers) -> Dataset:
    """Open the parts of `spec`, divided by " + ", as one data set; "20*" repeats a part's names.

    Splits and groups of the parts are joined. Raises ValueError where two parts share a name.
    """
    parts = [_part(text.strip(), openers) for text in spec.split(" + ")]
    if len(parts) == 1:
        return parts[0]
    home = {name: part.load for part in parts for name in part.names}
    if len(home) < sum(len(set(part.names)) for part in parts):
        names = [name for part in parts for name in dict.fromkeys(part.names)]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(
            f"two parts of {spec!r} hold a sample {twice!r}; join sets whose names differ "
            "(generated ones: by their seeds)"
        )
    keys = dict.fromkeys(key for part in parts for key in part.splits)
    splits = {key: [n for part in parts for n in part.splits.get(key, [])] for key in keys}
    groups = [group for part in parts for group in part.groups]
    return Dataset([n for part in parts for n in part.names], partial(_load, home), splits, groups)


def _load(home: Mapping[str, Callable[[str], Sample]], name: str) -> Sample:
    return home[name](name)


def _part(spec: str, openers: Openers) -> Dataset:
    times = TIMES.fullmatch(spec)
    if times is not None and int(times[1]) < 1:
        raise ValueError(f"{spec!r}: a part of the data must come at least once, as in 1*...")
    data = _one(times[2] if times else spec, openers)
    if times is None:
        return data
    return Dataset(data.names * int(times[1]), data.load, data.splits, data.groups)


def _one(spec: str, openers: Openers) -> Dataset:
    name, colon, where = spec.partition(":")
    if not colon or not where:
        here = f"; did you mean folder:{spec}?" if spec and Path(spec).is_dir() else ""
        raise ValueError(
            f"data set {spec!r} must be written name:where, as in cvppp:DIR, folder:DIR or "
            f"leaves:100{here}"
        )
    if name not in openers:
        raise unknown("data set", name, openers)
    where, mark, split = where.partition("#")
    dataset = openers[name](where)
    return dataset.split(split) if mark else dataset
