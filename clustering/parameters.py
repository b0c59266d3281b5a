"""Checks of a clusterer's parameters: one sentence tells name, rule, value and advice."""

from numbers import Integral, Real
from typing import Any


def whole(
    owner: object, name: str, least: int, *, none: bool = False, advice: str | None = None
) -> None:
    """Raise ValueError unless the parameter is an integer >= least, or None where that is let."""
    value = getattr(owner, name)
    if none and value is None:
        return
    if not isinstance(value, Integral):
        _refuse(name, "None or an integer" if none else "an integer", value, advice)
    if not int(value) >= least:
        _refuse(name, f">= {least}", value, advice)


def at_least(owner: object, name: str, least: float, *, advice: str | None = None) -> None:
    """Raise ValueError unless the parameter is a number >= least, which NaN is not."""
    if not _number(owner, name, advice) >= least:
        _refuse(name, f">= {least}", getattr(owner, name), advice)


def positive(owner: object, name: str, *, advice: str | None = None) -> None:
    """Raise ValueError unless the parameter is a number > 0, which NaN is not."""
    if not _number(owner, name, advice) > 0:
        _refuse(name, "> 0", getattr(owner, name), advice)


def _number(owner: object, name: str, advice: str | None) -> float:
    value = getattr(owner, name)
    if not isinstance(value, Real):
        _refuse(name, "a number", value, advice)
    return float(value)


def _refuse(name: str, rule: str, value: Any, advice: str | None) -> None:
    shown = value if isinstance(value, Real) else repr(value)
    raise ValueError(f"{name} must be {rule}, got {shown}" + (f"; {advice}" if advice else ""))
