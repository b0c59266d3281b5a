"""Checking the values of options against the annotations of the function that takes them."""

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin

WORDS = {
    int: "a whole number", float: "a number", bool: "true or false", str: "a word",
    NoneType: "null",
}  # fmt: skip


def check_kinds(owner: str, function: Callable[..., Any], options: Mapping[str, Any]) -> None:
    """Refuse a value that is not of its parameter's type; ValueError.

    A whole number is a number, and a list serves for a tuple; true and false are no numbers, nor
    are infinity and NaN. The option `context` of a network, which no builder sees, is a word.
    """
    parameters = inspect.signature(function).parameters
    for key, value in options.items():
        kind = parameters[key].annotation if key in parameters else str
        if not _fits(value, kind):
            raise ValueError(f"{owner} option {key} must be {_words(kind)}, got {value!r}")


def _fits(value: Any, kind: Any) -> bool:
    """Tell whether `value` is of an annotated type."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is UnionType:
        return any(_fits(value, one) for one in inner)
    if origin in (tuple, Sequence):
        whole = isinstance(value, list | tuple) and all(_fits(v, inner[0]) for v in value)
        return whole and (origin is Sequence or inner[-1] is Ellipsis or len(value) == len(inner))
    kind = str if origin is Literal else kind
    if kind in (int, float) and isinstance(value, bool):
        return False
    if kind is float:
        return isinstance(value, int | float) and math.isfinite(value)
    return isinstance(value, kind)


def _words(kind: Any) -> str:
    """Return an annotated type in words."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Literal:
        return f"one of {', '.join(inner)}"
    if origin is UnionType:  # tensors cannot be written into a configuration
        return " or ".join(_words(one) for one in inner if one in WORDS or get_origin(one))
    if origin in (tuple, Sequence):
        count = "" if origin is Sequence or inner[-1] is Ellipsis else f"{len(inner)} "
        return f"a list of {count}{_many(inner[0])}"
    return WORDS[kind]


def _many(kind: Any) -> str:
    """Return the words for several of a type."""
    return f"{_words(kind).removeprefix('a ').replace('list', 'lists', 1)}" + (
        "" if get_origin(kind) else "s"
    )
