"""The data set "leaves": generated plants by number, free of any real picture."""

from functools import partial

import numpy as np

from embedseg.data.sample import Dataset, Sample
from embedseg.data.synthetic import draw_plant
from embedseg.names import unknown

OPTIONS = ("seed", "size", "leaves", "reach")
RANGES = ("leaves", "reach")


def leaves(where: str) -> Dataset:
    """Open generated plants: "N", "N,seed", or "N,seed,size=256,leaves=6-20,reach=22-52" in part.

    `size` is the side of the pictures, `leaves` the range of the number of leaves, `reach` that of
    the plant's radius in percent of the side. Each picture
    follows from the seed and its own number alone: "100,7" is the beginning of "200,7", and data
    for validation has another seed. (Other versions of numpy or OpenCV may round differently.)
    Raises ValueError for anything else.
    """
    count, options = _parse(where)
    seed = options.pop("seed", (0,))[0]
    size = options.pop("size", (256,))[0]
    low, high = (options.get("leaves", (6, 20)) * 2)[:2]
    near, far = (options.get("reach", (22, 52)) * 2)[:2]
    names = [f"leaves{seed}-{number:05}" for number in range(count)]
    return Dataset(names, partial(_draw, seed, size, (low, high), (near, far)))


def _draw(
    seed: int, size: int, leaves: tuple[int, int], reach: tuple[int, int], name: str
) -> Sample:
    rng = np.random.default_rng([seed, int(name.rpartition("-")[2])])
    return draw_plant(rng, size, leaves=leaves, reach=reach, name=name)


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
        numbers = text.split("-") if key in RANGES else [text]
        options[key] = tuple(_number(number, where) for number in numbers)
    count = _number(first, where)
    if count < 1 or any(len(options.get(key, ())) > 2 for key in RANGES):
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
