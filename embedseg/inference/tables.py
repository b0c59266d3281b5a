"""Tables of results: summary.csv has a row for each instance, counts.csv one for each picture."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from embedseg.errors import InputError
from embedseg.inference.measure import COLUMNS
from embedseg.io import read_rows, write_rows

SUMMARY, COUNTS = "summary.csv", "counts.csv"
COUNT_COLUMNS = ("image", "instances", "area", "source")

Table = list[dict[str, Any]]


def read_summary(path: Path, columns: Sequence[str] = COLUMNS) -> list[dict[str, str]]:
    """Return the rows of a summary, or of a table of other `columns`; none without a file.

    Raises InputError where the file has other columns, since writing it again would lose them.
    """
    if not path.is_file():
        return []
    found, rows = read_rows(path)
    if found != tuple(columns):
        raise InputError(
            f"{path} has other columns than those written here ({', '.join(columns)}); rename it, "
            "or write into another folder"
        )
    return rows


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
    write_rows(path, [*earlier, *rows], columns)
