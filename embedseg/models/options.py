"""Checking the values of a network's options against the annotations of its builder."""

import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args, get_origin

WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a word"}


def check_options(name: str, builder: Callable[..., Any], options: Mapping[str, Any]) -> None:
    """Refuse a value that is not of its parameter's type; ValueError.

    A whole number is a number, and a list serves for a tuple; true and false are no numbers, nor
    are infinity and NaN. The option `context`, which no builder sees, is a word.
    """
    parameters = inspect.signature(builder).parameters
    for key, value in options.items():
        kind = str if key == "context" else parameters[key].annotation
        if not _fits(value, kind):
            raise ValueError(f"{name} option {key} must be {_words(kind)}, got {value!r}")


def _fits(value: Any, kind: Any) -> bool:
    """Tell whether `value` is of an annotated type; those that no builder has fit anything."""
    if get_origin(kind) is tuple:
        inner = get_args(kind)
        whole = isinstance(value, list | tuple) and all(_fits(v, inner[0]) for v in value)
        return whole and (inner[-1] is Ellipsis or len(value) == len(inner))
    kind = str if get_origin(kind) is Literal else kind
    if kind not in WORDS:
        return True
    if kind in (int, float) and isinstance(value, bool):
        return False
    if kind is float:
        return isinstance(value, int | float) and math.isfinite(value)
    return isinstance(value, kind)


def _words(kind: Any) -> str:
    """Return an annotated type in words."""
    if get_origin(kind) is Literal:
        return f"one of {', '.join(get_args(kind))}"
    if get_origin(kind) is tuple:
        inner = get_args(kind)
        count = "" if inner[-1] is Ellipsis else f"{len(inner)} "
        return f"a list of {count}whole numbers"
    return WORDS[kind]
