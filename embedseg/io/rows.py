"""Tables as CSV files: rows by the names of their columns; no file is left half written."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TextIO

from embedseg.io.atomic import atomic_path


def write_rows(
    path: str | Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str] | None = None
) -> None:
    """Write rows under `columns`, by default all of theirs in the order of first appearance."""
    names = list(dict.fromkeys(key for row in rows for key in row)) if columns is None else columns
    with atomic_path(path) as temporary, _open(temporary, "w") as file:
        writer = csv.DictWriter(file, names, restval="")
        writer.writeheader()
        writer.writerows(rows)


def read_rows(path: str | Path) -> tuple[tuple[str, ...], list[dict[str, str]]]:
    """Return the columns and the rows of a table."""
    with _open(Path(path), "r") as file:
        reader = csv.DictReader(file)
        return tuple(reader.fieldnames or ()), list(reader)


def _open(path: Path, mode: Literal["r", "w"]) -> TextIO:
    """Open a table; bytes of names that are no UTF-8 go in and out as they are."""
    return path.open(mode, newline="", encoding="utf-8", errors="surrogateescape")
