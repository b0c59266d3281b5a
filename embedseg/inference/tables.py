"""Tables of results: summary.csv has a row for each instance, counts.csv one for each picture."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TextIO

from embedseg.errors import InputError
from embedseg.inference.measure import COLUMNS
from embedseg.io import atomic_path

COUNTS = ("image", "instances", "area", "source")  # the columns of counts.csv

Table = list[dict[str, Any]]


def write_summary(
    path: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str] = COLUMNS
) -> None:
    """Write rows of `measure`, or of other `columns`, as CSV."""
    with atomic_path(path) as temporary, open_text(temporary, "w") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)


def read_summary(path: Path, columns: Sequence[str] = COLUMNS) -> list[dict[str, str]]:
    """Return the rows of a summary that `write_summary` wrote, none where there is no file.

    Raises InputError where the file has other columns, since writing it again would lose them.
    """
    if not path.is_file():
        return []
    with open_text(path, "r") as file:
        reader = csv.DictReader(file)
        found, rows = tuple(reader.fieldnames or ()), list(reader)
    if found != tuple(columns):
        raise InputError(
            f"{path} has other columns than those written here ({', '.join(columns)}); rename it, "
            "or write into another folder"
        )
    return rows


def open_text(path: Path, mode: Literal["r", "w"]) -> TextIO:
    """Open a summary; bytes of names that are no UTF-8 go in and out as they are."""
    return path.open(mode, newline="", encoding="utf-8", errors="surrogateescape")


def check_tables(folder: Path, names: Mapping[Path, str]) -> None:
    """Refuse a folder whose tables would lose something to results of these pictures (`names`).

    Raises InputError where it holds results of another picture by one of the names, or where a
    table has columns of its own.
    """
    read_summary(folder / "summary.csv")
    paths = {name: path for path, name in names.items()}
    for row in read_summary(folder / "counts.csv", COUNTS):
        path = paths.get(row["image"])
        if path is not None and row["source"] != str(path.resolve()):
            raise InputError(
                f"{folder} holds the results of {row['source']}, which those of {path} would "
                f"replace, since both are called {row['image']}; write into another folder"
            )


def add_to_tables(folder: Path, names: Mapping[Path, str], tables: Mapping[Path, Table]) -> None:
    """Add the instances of pictures to summary.csv and counts.csv in `folder`.

    `names` are what the pictures are called, `tables` the rows of those that are done, which are
    written in the order of `names` and replace earlier ones of theirs.
    """
    done = [(path, name, tables[path]) for path, name in names.items() if path in tables]
    _add(folder / "summary.csv", COLUMNS, [row for _, _, rows in done for row in rows], done)
    _add(folder / "counts.csv", COUNTS, [_count(*one) for one in done], done)


def _count(path: Path, name: str, rows: Table) -> dict[str, Any]:
    area = sum(row["area"] for row in rows)
    return dict(zip(COUNTS, (name, len(rows), area, str(path.resolve())), strict=True))


def _add(
    path: Path, columns: Sequence[str], rows: Table, done: Iterable[tuple[Path, str, Table]]
) -> None:
    pictures = {name for _, name, _ in done}
    earlier = [row for row in read_summary(path, columns) if row["image"] not in pictures]
    write_summary(path, [*earlier, *rows], columns)
