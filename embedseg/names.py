"""Refusing an unknown name with a suggestion: the one error of every registry."""

from collections.abc import Iterable
from difflib import get_close_matches


def unknown(kind: str, name: str, choices: Iterable[str]) -> ValueError:
    """Return the error for `name`, which is not among `choices` of this `kind`.

    >>> str(unknown("model", "ernet", ["enet", "erfnet"]))
    "unknown model 'ernet'; did you mean 'erfnet'? choose from: enet, erfnet"
    """
    choices = sorted(choices)
    near = get_close_matches(name, choices, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return ValueError(f"unknown {kind} {name!r}; {hint}choose from: {', '.join(choices)}")
