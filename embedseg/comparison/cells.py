"""The cells of a comparison: every combination of the settings that vary, each with a name.

    --vary network.backbone=enet,unet --vary "loss=dice,dice + 0.01 boundary"

gives four cells; the second loss could be written {dice: 1, boundary: 0.01} as well. Commas inside
brackets or quotes do not separate. Settings that belong together
stand as named cells in a YAML file, `name: {option: value}`, with options by their path
("network.backbone") or nested; such cells multiply with --vary too.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import reduce
from itertools import product
from pathlib import Path
from typing import Any

import yaml

from embedseg.io import InputError
from embedseg.names import unknown
from embedseg.training.config import TrainConfig
from embedseg.training.loss_names import spread
from embedseg.training.options import ALIASES, for_backbone, read_config

SPEAKING = ("network.backbone",)  # their values need no name before them
SHORT = {"loss": "loss.foreground"}
GIVEN = ("run", "seed")  # of every training, set by the comparison itself
TERM = re.compile(r"(?:(?P<factor>\d*\.?\d+(?:[eE][+-]?\d+)?)\s*\*?\s*)?(?P<name>[A-Za-z_]\w*)")
OPENING, CLOSING, QUOTES = "{[(", "}])", "\"'"


@dataclass(frozen=True)
class Cell:
    """One combination: a name for people, and texts of options by their path."""

    name: str
    options: Mapping[str, str]

    @property
    def folder(self) -> str:
        """Return the name as a folder's."""
        return re.sub(r"[^\w.+=-]+", "_", self.name).strip("_") or "base"

    def __mul__(self, other: "Cell") -> "Cell":
        """Return both settings at once."""
        for key in other.options:
            if key in self.options:
                raise ValueError(f"{key} varies twice; give all its values to one --vary")
        name = ", ".join(part for part in (self.name, other.name) if part)
        return Cell(name, {**self.options, **other.options})


def read_cells(vary: Sequence[str], file: Path | None = None) -> list[Cell]:
    """Return the product of every `vary` ("option=value,value") and of the cells of `file`.

    Raises ValueError for an unknown option, one that varies twice, or a name that repeats, and
    InputError for a file that cannot be used.
    """
    factors = [named_cells(file)] if file else []
    factors += [varied(text) for text in vary]
    cells = [reduce(Cell.__mul__, combination) for combination in product(*factors) if combination]
    if not cells:
        raise ValueError(
            "nothing varies; give --vary OPTION=VALUE,VALUE (--vary backbone=enet,unet) or --cells"
        )
    folders = [cell.folder for cell in cells]
    for cell in cells:
        if folders.count(cell.folder) > 1:
            raise ValueError(f"cell {cell.name!r} comes twice; leave one out")
    return cells


def varied(text: str) -> list[Cell]:
    """Return a cell for each value of "option=value,value"."""
    key, equals, values = text.partition("=")
    if not equals or not values.strip():
        raise ValueError(f"--vary {text!r} has no values; write it as option=value,value")
    path = option_path(key)
    return [_cell(path, value) for value in split_values(values)]


def _cell(path: str, value: str) -> Cell:
    if path == "loss.foreground":
        terms = loss_terms(value)
        return Cell(loss_name(terms), {path: json.dumps(terms)})
    shown = re.sub(r"[{}\"'\s]", "", value)
    name = shown if path in SPEAKING else f"{path.rpartition('.')[2]}={shown}"
    return Cell(name, {path: value})


def loss_terms(text: str) -> dict[str, Any]:
    """Return the weighted sum of "dice", "dice + 0.01 boundary" or "{dice: 1, boundary: 0.01}".

    Raises ValueError for anything else; names and factors are checked with the configuration.
    """
    if text.startswith("{"):
        terms = yaml.safe_load(text)
        if not isinstance(terms, dict):
            raise ValueError(f"loss {text!r} is not a mapping; write it as {{name: factor}}")
        return {str(name): factor for name, factor in terms.items()}
    terms = {}
    for term in re.split(r"(?<![eE])\+", text):
        match = TERM.fullmatch(term.strip())
        if not match or match["name"] in terms:
            raise ValueError(f"loss {text!r} is no sum; write it as dice or dice + 0.01 boundary")
        terms[match["name"]] = float(match["factor"] or 1)
    return terms


def loss_name(terms: Mapping[str, Any]) -> str:
    """Return a sum as people write it: "dice + 0.01 boundary"."""
    factors = {k: f"{v:g}" if isinstance(v, int | float) else str(v) for k, v in terms.items()}
    return " + ".join(k if factor == "1" else f"{factor} {k}" for k, factor in factors.items())


def split_values(text: str) -> list[str]:
    """Cut at the commas that stand outside brackets and quotes; values are stripped."""
    values, depth, quote = [""], 0, ""
    for letter in text:
        if quote or letter in QUOTES:
            quote = "" if letter == quote else quote or letter
        else:
            depth += (letter in OPENING) - (letter in CLOSING)
        if letter == "," and not depth and not quote:
            values.append("")
        else:
            values[-1] += letter
    values = [value.strip() for value in values]
    if "" in values or depth or quote:
        raise ValueError(f"cannot cut {text!r} into values at its commas; check its brackets")
    return values


def named_cells(file: Path) -> list[Cell]:
    """Read `name: {option: value}` from a YAML file."""
    try:
        content = yaml.safe_load(file.read_text())
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror})") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: not YAML ({str(error).splitlines()[0]})") from error
    if not isinstance(content, dict) or not all(isinstance(v, dict) for v in content.values()):
        raise InputError(f"{file}: must hold cells as `name: {{option: value}}`")
    return [
        Cell(str(name), {option_path(k): _text(v) for k, v in _flat(options).items()})
        for name, options in content.items()
    ]


def _flat(options: Mapping[str, Any]) -> dict[str, Any]:
    """Write nested groups as paths; a mapping that is a value stays one."""
    groups = {f.name for f in fields(TrainConfig) if is_dataclass(_default(f))}
    flat: dict[str, Any] = {}
    for key, value in options.items():
        if key in groups and isinstance(value, Mapping):
            value = spread(value) if key == "loss" else value
            flat |= {f"{key}.{inner}": item for inner, item in value.items()}
        else:
            flat[str(key)] = value
    return flat


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def option_path(key: str) -> str:
    """Return the path of a training option, short names resolved; ValueError if there is none."""
    plain = key.strip().lstrip("-").replace("-", "_")
    path = SHORT.get(plain) or ALIASES.get(f"--{plain}", f"--{plain}").removeprefix("--")
    if path in GIVEN:
        raise ValueError(f"{path} cannot vary; the comparison sets it (--seeds, --out)")
    if path not in (known := option_paths()):
        raise unknown("option to vary", path, known)
    return path


def option_paths() -> list[str]:
    """Return the path of every training option."""
    paths = []
    for group in fields(TrainConfig):
        inner = _default(group)
        if is_dataclass(inner):
            paths += [f"{group.name}.{f.name}" for f in fields(inner)]
        else:
            paths.append(group.name)
    return paths


def _default(field: Any) -> Any:
    return field.default_factory() if callable(field.default_factory) else field.default


def cell_config(cell: Cell, base: Sequence[str]) -> TrainConfig:
    """Return the configuration of `cell` over the options `base`.

    Where the cell has another backbone than the base, options and weights of the base's are dropped
    unless the cell names them: they belong to the other network.
    """
    words = [f"--{path}={value}" for path, value in cell.options.items()]
    named = {path.removeprefix("network.") for path in cell.options}
    return for_backbone(read_config([*base, *words]), read_config(base), named)
