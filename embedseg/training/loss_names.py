"""Losses named directly under `loss`, in YAML and on the command line, become `loss.foreground`.

`loss: {dice: 1, boundary: 0.01}`, `--loss '{dice: 1}'` and `--loss.dice 1` are the short forms.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml

from embedseg.names import unknown
from embedseg.training.config import LossConfig

FIELDS = tuple(field.name for field in fields(LossConfig))
PREFIX = "--loss."


def spread(loss: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of `LossConfig`, the names of losses among the keys as `foreground`.

    Raises ValueError for a key that is neither, and where losses are named in both places.
    """
    named = {key: value for key, value in loss.items() if key not in FIELDS}
    if not named:
        return dict(loss)
    for key in named:
        check(key)
    if "foreground" in loss:
        raise ValueError(
            f"losses are named under loss ({', '.join(named)}) and under loss.foreground; choose "
            "one place"
        )
    rest = {key: value for key, value in loss.items() if key in FIELDS}
    return {**rest, "foreground": {key: _number(value) for key, value in named.items()}}


def spread_words(words: Sequence[str]) -> list[str]:
    """Return command line words in which `--loss.dice 1` and `--loss {dice: 1}` are spread."""
    result: list[str] = []
    named: dict[str, Any] = {}
    place, rest = 0, iter(words)
    for word in rest:
        option, equals, value = word.partition("=")
        key = option.removeprefix(PREFIX)
        single = option.startswith(PREFIX) and "." not in key and key not in FIELDS
        if not single and option != "--loss":
            result.append(word)
            continue
        value = value if equals else next(rest, "")
        if single:
            check(key)
            place = place if named else len(result)
            named[key] = _number(value)
        else:
            loss = yaml.safe_load(value)
            result.append(f"--loss={_line(spread(loss)) if isinstance(loss, Mapping) else value}")
    if named:
        result.insert(place, f"{PREFIX}foreground={_line(named)}")
    return result


def spread_file(path: str) -> str:
    """Return `path`, or the text of the YAML file there if it names losses under `loss`."""
    try:
        values = yaml.safe_load(Path(path).read_text())
    except (yaml.YAMLError, UnicodeDecodeError):
        return path  # the parser says what is wrong
    loss = values.get("loss") if isinstance(values, Mapping) else None
    if not isinstance(loss, Mapping) or set(loss) <= set(FIELDS):
        return path
    return yaml.safe_dump({**values, "loss": spread(loss)}, sort_keys=False)


def check(name: str) -> None:
    """Raise ValueError if there is no loss, and no field of `LossConfig`, of that name."""
    from embedseg.losses import LOSSES, SIDE_LOSSES  # torch, for those who need it

    if name not in LOSSES and name not in SIDE_LOSSES:
        raise unknown("loss", name, [*LOSSES, *SIDE_LOSSES, *FIELDS])


def _number(value: Any) -> Any:
    """Return a word as the number it spells; YAML takes 1e-2 for a word."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _line(values: Mapping[str, Any]) -> str:
    return yaml.safe_dump(
        dict(values), default_flow_style=True, sort_keys=False, width=10**6
    ).strip()
