"""Pictures that would be trained on and validated on, where two data sets come from one source."""

from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

from embedseg.data import open_dataset
from embedseg.data.joined import TIMES
from embedseg.io import InputError


def refuse_overlap(
    train: str, training: Sequence[str], val: str, validation: Sequence[str]
) -> None:
    """Refuse two data sets that share a picture; InputError.

    `training` and `validation` are the names taken of the data sets `train` and `val`. A name means
    the same picture where the parts that hold it have one source: one folder, or one generator with
    the same options, whatever their "#split".
    """
    for part, other in product(_parts(train), _parts(val)):
        if _source(part) != _source(other):
            continue
        taken = _within(part, train, training) & _within(other, val, validation)
        if taken:
            raise InputError(
                f"{val}: {len(taken)} images are trained on as well ({min(taken)}, ...); leave "
                "--val out to hold some out, or name others, or the score is of images that were "
                "seen"
            )


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


def _within(part: str, spec: str, names: Sequence[str]) -> set[str]:
    """Return those of `names`, taken of `spec`, that are of its `part`."""
    alone = len(list(_parts(spec))) == 1
    return set(names) if alone else set(names) & set(open_dataset(part).names)
