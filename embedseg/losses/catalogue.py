"""The list of losses for people: name, formula, paper and use, read from the docstrings."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple


class LossInfo(NamedTuple):
    """What one loss is."""

    name: str
    formula: str
    paper: str
    when: str
    kind: str
    """"semantic" may stand in `loss: {name: factor}`; "side" has inputs or a head of its own."""


FIELDS = ("Formula", "Paper", "When")


def catalogue() -> list[LossInfo]:
    """Return every loss, the semantic ones first, each group by name.

    The three texts stand in each function's docstring, one line each, after "Formula:", "Paper:"
    and "When:". They are empty where Python dropped docstrings (-OO).
    """
    from embedseg.losses import LOSSES, SIDE_LOSSES  # the registries import every loss

    return [*_entries(LOSSES, "semantic"), *_entries(SIDE_LOSSES, "side")]


def _entries(registry: Mapping[str, Callable[..., Any]], kind: str) -> list[LossInfo]:
    return [_entry(name, registry[name], kind) for name in sorted(registry)]


def _entry(name: str, function: Callable[..., Any], kind: str) -> LossInfo:
    lines = (inspect.getdoc(function) or "").splitlines()
    found = dict.fromkeys(FIELDS, "")
    for line in lines:
        key, colon, text = line.partition(":")
        if colon and key in found and not found[key]:
            found[key] = text.strip()
    return LossInfo(name, *(found[key] for key in FIELDS), kind=kind)  # type: ignore[misc]
