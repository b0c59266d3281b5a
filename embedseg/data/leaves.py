"""The data set "leaves": generated plants by number, free of any real picture."""

from functools import partial

import numpy as np

from embedseg.data.sample import Dataset, Sample
from embedseg.data.synthetic import draw_plant
from embedseg.names import unknown

OPTIONS = ("seed", "size", "leaves")


def leaves(where: str) -> Dataset:
    """Open generated plants: "N", "N,seed", or "N,seed,size=256,leaves=6-20" in part.

    `size` is the side of the pictures, `leaves` the range of the number of leaves. Each picture
    follows from the seed and its own number alone: "100,7" is the beginning of "200,7", and data
    for validation has another seed. (Other versions of numpy or OpenCV may round differently.)
    Raises ValueError for anything else.
    """
    count, options = _parse(where)
    seed = options.pop("seed", (0,))[0]
    size = options.pop("size", (256,))[0]
    low, high = (options.get("leaves", (6, 20)) * 2)[:2]
    names = [f"leaves{seed}-{number:05}" for number in range(count)]
    return Dataset(names, partial(_draw, seed, size, (low, high)))


def _draw(seed: int, size: int, leaves_range: tuple[int, int], name: str) -> Sample:
    number = int(name.rpartition("-")[2])
    return draw_plant(np.random.default_rng([seed, number]), size, leaves=leaves_range, name=name)


def _parse(where: str) -> tuple[int, dict[str, tuple[int, ...]]]:
    """Split "N,seed,name=value,..." into N and the options, each one number or a range of two."""
    first, *rest = where.split(",")
    if rest and "=" not in rest[0]:
        rest[0] = f"seed={rest[0]}"
    options: dict[str, tuple[int, ...]] = {}
    for part in rest:
        key, _, text = part.partition("=")
        if key not in OPTIONS:
            raise unknown("option of leaves", key, OPTIONS)
        numbers = text.split("-") if key == "leaves" else [text]
        options[key] = tuple(_number(number, where) for number in numbers)
    count = _number(first, where)
    if count < 1 or len(options.get("leaves", ())) > 2:
        raise _misspelt(where)
    return count, options


def _number(text: str, where: str) -> int:
    if not text.strip().isdecimal():
        raise _misspelt(where)
    return int(text)


def _misspelt(where: str) -> ValueError:
    return ValueError(
        f"leaves:{where} must be a number of plants and maybe a seed, as in leaves:200 or "
        "leaves:200,7 or leaves:200,7,size=128,leaves=5-9"
    )
