"""Pictures that two lists share, where both data sets come from one source."""

from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

import numpy as np

from embedseg.data import open_dataset
from embedseg.data.joined import TIMES


def shared_names(
    one: str, names: Sequence[str], other: str, other_names: Sequence[str]
) -> set[str]:
    """Return the pictures that are among `names` of data set `one` and `other_names` of `other`.

    A name means the same picture where the parts that hold it have one source: one folder, or one
    generator with the same options, whatever their "#split". Where a folder lies in the other, or
    options are spelled otherwise, a picture that both name tells whether they are the same.
    """
    shared: set[str] = set()
    for part, another in product(_parts(one), _parts(other)):
        a, b = _source(part), _source(another)
        if a == b or _related(a, b):
            both = _within(part, one, names) & _within(another, other, other_names)
            if a == b or (both and _alike(part, another, min(both))):
                shared |= both
    return shared


def located(spec: str, folder: Path) -> str:
    """Return `spec` with the places that are relative and lie in `folder` named from there."""
    return " + ".join(_located(part, folder) for part in spec.split(" + "))


def is_gone(spec: str) -> bool:
    """Tell whether a part of `spec` is neither here nor generated."""
    parts = (part.partition(":")[2].partition("#")[0] for part in _parts(spec))
    places = ((where, where.partition(",")[0]) for where in parts)
    return any(
        not place.isdecimal() and not Path(where).exists() and not Path(place).exists()
        for where, place in places
    )


def _located(part: str, folder: Path) -> str:
    kind, colon, rest = part.partition(":")
    where, mark, split = rest.partition("#")
    for place in (where, where.partition(",")[0]):
        if place and (folder / place).exists():
            return f"{kind}{colon}{folder / place}{where[len(place) :]}{mark}{split}"
    return part


def _parts(spec: str) -> Iterator[str]:
    """Yield the data sets that `spec` joins, without how often they are repeated."""
    for text in spec.split(" + "):
        times = TIMES.fullmatch(text.strip())
        yield times[2] if times else text.strip()


def _source(part: str) -> str:
    """Return what two data sets have in common whose equal names mean equal pictures."""
    name, _, where = part.partition(":")
    where = where.partition("#")[0]
    place, _, options = where.partition(",")
    for path in (where, place):
        if Path(path).exists():
            return str(Path(path).resolve())
    return f"{name}:{options}" if place.isdecimal() else part


def _related(a: str, b: str) -> bool:
    """Tell whether two sources may hold the same: one generator, or one folder in the other."""
    if Path(a).exists() and Path(b).exists():
        return Path(a) in Path(b).parents or Path(b) in Path(a).parents
    return not Path(a).exists() and a.partition(":")[0] == b.partition(":")[0]


def _alike(part: str, another: str, name: str) -> bool:
    """Tell whether both data sets have the same picture by this name."""
    try:
        a, b = (open_dataset(spec).load(name).image for spec in (part, another))
    except (ValueError, OSError):  # not of both, or damaged
        return False
    return np.array_equal(a, b)


def _within(part: str, spec: str, names: Sequence[str]) -> set[str]:
    """Return those of `names`, taken of `spec`, that are of its `part`."""
    alone = len(list(_parts(spec))) == 1
    return set(names) if alone else set(names) & set(open_dataset(part).names)
