"""Tables of results: summary.csv has a row for each instance, counts.csv one for each picture."""

import csv
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TextIO

from embedseg.errors import InputError
from embedseg.inference.measure import COLUMNS
from embedseg.io import atomic_path

SUMMARY, COUNTS = "summary.csv", "counts.csv"
COUNT_COLUMNS = ("image", "instances", "area", "source")

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
    read_summary(folder / SUMMARY)
    paths = {name: path for path, name in names.items()}
    for row in read_summary(folder / COUNTS, COUNT_COLUMNS):
        path = paths.get(row["image"])
        if path is not None and row["source"] != str(path.resolve()):
            raise InputError(
                f"{folder} holds the results of {row['source']}, which those of {path} would "
                f"replace, since both are called {row['image']}; write into another folder"
            )


def add_instances(path: Path, names: Mapping[Path, str], tables: Mapping[Path, Table]) -> None:
    """Write the rows of the pictures in `tables` into the summary `path`, in the order of `names`.

    They replace earlier ones of the same pictures; those of others stay.
    """
    done = {name: tables[source] for source, name in names.items() if source in tables}
    _replace(path, COLUMNS, done, [row for rows in done.values() for row in rows])


def add_counts(path: Path, names: Mapping[Path, str], tables: Mapping[Path, Table]) -> None:
    """Write a row for each of the pictures in `tables` into the counts `path`; as `add_instances`.

    The columns: name, instances, area of them all in pixels, and where the picture lies.
    """
    done = {source: name for source, name in names.items() if source in tables}
    rows = []
    for source, name in done.items():
        area = sum(row["area"] for row in tables[source])
        values = (name, len(tables[source]), area, str(source.resolve()))
        rows.append(dict(zip(COUNT_COLUMNS, values, strict=True)))
    _replace(path, COUNT_COLUMNS, {*done.values()}, rows)


def _replace(path: Path, columns: Sequence[str], pictures: Collection[str], rows: Table) -> None:
    earlier = [row for row in read_summary(path, columns) if row["image"] not in pictures]
    write_summary(path, [*earlier, *rows], columns)
