"""The lane data sets by name, as `open_dataset` takes them: "tusimple:DIR,size=512x256,width=5"."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from embedseg.data.lanes_culane import culane
from embedseg.data.lanes_lanenet import lanenet
from embedseg.data.lanes_polylines import curvelanes, polylines
from embedseg.data.lanes_tusimple import tusimple
from embedseg.data.roads import SIZE, roads
from embedseg.data.sample import Dataset
from embedseg.lanes.polylines import Size
from embedseg.names import unknown

Reader = Callable[[str], Any]


def read_size(text: str) -> Size | None:
    """Return (H, W) of "WxH", or None of "own", the picture's own size."""
    if text == "own":
        return None
    width, cross, height = text.partition("x")
    if not cross or not width.isdigit() or not height.isdigit() or not int(width) * int(height):
        raise ValueError(f"size {text!r} must be WIDTHxHEIGHT in pixels, as in 512x256, or own")
    return int(height), int(width)


def read_switch(text: str) -> bool:
    """Return whether an option is on: "yes" or "no"."""
    if text not in ("yes", "no"):
        raise ValueError(f"{text!r} must be yes or no")
    return text == "yes"


def read_count(text: str) -> int:
    """Return a whole number >= 0."""
    if not text.isdecimal():
        raise ValueError(f"{text!r} must be a whole number >= 0")
    return int(text)


def read_number(text: str) -> float:
    """Return a finite number."""
    try:
        number = float(text)
    except ValueError as error:
        raise ValueError(f"{text!r} must be a number") from error
    if not math.isfinite(number):
        raise ValueError(f"{text!r} must be a finite number")
    return number


DRAWN: dict[str, Reader] = {"size": read_size, "width": read_number}


def from_spec(
    opener: Callable[..., Dataset], readers: Mapping[str, Reader]
) -> Callable[[str], Dataset]:
    """Return the function of "where,key=value,..." that calls `opener(where, key=value, ...)`."""

    def open_where(where: str) -> Dataset:
        place, options = split_options(where, readers)
        return opener(place, **({"size": SIZE} | options))

    return open_where


def split_options(where: str, readers: Mapping[str, Reader]) -> tuple[str, dict[str, Any]]:
    """Return the place and the options read; refuses an unknown key or a value it cannot read."""
    place, *words = where.split(",")
    options = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise ValueError(
                f"{word!r} in {where!r} must be key=value, with key of {', '.join(readers)}"
            )
        if key not in readers:
            raise unknown("option", key, readers)
        try:
            options[key] = readers[key](value)
        except ValueError as error:
            raise ValueError(f"{word} in {where!r}: {error}") from error
    return place, options


def roads_spec(where: str) -> Dataset:
    """Open generated roads: "N" or "N,seed=1,size=512x256,width=5,lines=FILE" in part."""
    readers: dict[str, Reader] = {**DRAWN, "seed": read_count, "lines": str}
    place, options = split_options(where, readers)
    if not place.isdigit():
        raise ValueError(f"roads:{where}: how many pictures? write roads:1000 or roads:1000,seed=1")
    if options.get("size", SIZE) is None:
        raise ValueError("roads have no size of their own; write size=512x256")
    return roads(int(place), **options)


LANE_DATASETS: dict[str, Callable[[str], Dataset]] = {
    "tusimple": from_spec(tusimple, DRAWN),
    "culane": from_spec(culane, {**DRAWN, "masks": read_switch}),
    "curvelanes": from_spec(curvelanes, DRAWN),
    "polylines": from_spec(polylines, DRAWN),
    "lanenet": from_spec(lanenet, {"size": read_size}),
    "roads": roads_spec,
}
