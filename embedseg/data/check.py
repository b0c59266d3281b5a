"""Checking a data set before training: every file is opened, what is wrong or odd is listed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from embedseg.data.cvppp import RGB, cvppp, cvppp_pairs
from embedseg.data.folder import folder, folder_pairs
from embedseg.data.pairs import Pair
from embedseg.data.sample import SEMANTIC_IGNORE, Dataset, Sample
from embedseg.io import InputError
from embedseg.labels import split_components

SHOWN_IDS: int = 5  # ids that a note names before it says "..."
SHOWN_SIZES: int = 3
MANY_PIECES: int = 10  # more pieces of one id look like a mask of classes, not of instances

FILES: dict[str, tuple[Callable[[Path], dict[str, Pair]], Callable[[str], Dataset]]] = {
    "cvppp": (cvppp_pairs, cvppp),
    "folder": (folder_pairs, folder),
}


@dataclass(frozen=True)
class SampleCheck:
    """What was found in one sample: an `error` makes it unusable, `notes` are worth a look."""

    name: str
    error: str | None = None
    notes: tuple[str, ...] = ()
    size: tuple[int, int] = (0, 0)
    areas: tuple[int, ...] = ()
    ids: tuple[int, ...] = ()


@dataclass(frozen=True)
class DataReport:
    """What `check_data` found; `problems` concern the whole set, such as a broken split list."""

    where: str
    samples: list[SampleCheck]
    problems: list[str] = field(default_factory=list)

    @property
    def errors(self) -> list[str]:
        """Everything that must be mended, one sentence each."""
        return self.problems + [check.error for check in self.samples if check.error]

    @property
    def notes(self) -> list[str]:
        """What is odd but usable, one sentence each."""
        masks = masks_instead(check.ids for check in self.samples)
        if masks:  # that such labels have many pieces goes without saying
            empty = [check for check in self.samples if check.notes and not check.ids]
            return [masks, *(f"{check.name}: {note}" for check in empty for note in check.notes)]
        return [f"{check.name}: {note}" for check in self.samples for note in check.notes]

    @property
    def ok(self) -> bool:
        """Whether there is no error and at least one sample."""
        return not self.errors and bool(self.samples)

    def to_table(self, limit: int = 20) -> str:
        """Return the report as text: figures, then up to `limit` errors, and as many notes."""
        good = [check for check in self.samples if not check.error]
        rows = [
            ("data", self.where),
            ("samples", f"{len(self.samples)}, of which {len(good)} usable"),
            ("picture sizes", _sizes(good)),
            ("instances", f"{sum(len(check.areas) for check in good)}"),
            ("instances a picture", _spread([len(check.areas) for check in good])),
            ("pixels an instance", _spread([area for check in good for area in check.areas])),
            ("errors", str(len(self.errors))),
            ("notes", str(len(self.notes))),
        ]
        lines = [f"{name:<20} {value}" for name, value in rows]
        for kind, texts in (("error", self.errors), ("note", self.notes)):
            lines += [f"{kind:<6} {text}" for text in texts[:limit]]
            if len(texts) > limit:
                lines.append(f"{kind:<6} ... and {len(texts) - limit} more")
        return "\n".join(lines)


def masks_instead(ids: Iterable[Sequence[int]]) -> str | None:
    """Return what is wrong if all pictures with labels have one and the same id, as masks do."""
    labelled = [tuple(of_one) for of_one in ids if len(of_one)]
    if len(labelled) < 2 or len(labelled[0]) > 1 or {*labelled} != {labelled[0]}:
        return None
    return (
        f"every label has the one id {labelled[0][0]}: these look like masks of the foreground; "
        "give each object of a picture its own number"
    )


def check_data(where: str | Path | Dataset) -> DataReport:
    """Open every file of a folder, a spec such as "cvppp:DIR", or a data set, and report.

    Errors: files without a partner or with two, unreadable files, images and labels of different
    sizes, labels that are no ids (colours, fractions), broken split lists, nothing at all. Notes:
    pictures without an instance, instances in several pieces, one and the same id in all labels, a
    255 that may mean ignore.
    One bad file never stops the rest; a missing folder raises InputError.
    """
    if isinstance(where, Dataset):
        return _report("a data set", [(name, partial(where.load, name)) for name in where.names])
    kind, _, place = str(where).partition(":")
    if Path(where).is_dir() or not place:
        kind, place = _guess(Path(where)), str(where)
    part = ("#" in place or " + " in place) and not Path(place).is_dir()
    if part or kind not in FILES:
        from embedseg.data import open_dataset  # not above: that module imports this one

        return replace(check_data(open_dataset(str(where))), where=str(where))
    pairs, opener = FILES[kind]
    loaders = [(name, pair.load) for name, pair in pairs(Path(place)).items()]
    report = _report(str(where), loaders)
    try:
        opener(place)
    except InputError as error:  # split lists and groups; what is wrong with pairs is known
        if str(error) not in report.errors:
            report.problems.append(str(error))
    return report


def _guess(root: Path) -> str:
    """Return the kind of data set that lies in a folder."""
    return "cvppp" if any(root.glob("*" + RGB)) or any(root.glob("A*/*" + RGB)) else "folder"


def _report(where: str, loaders: Iterable[tuple[str, Callable[[], Sample]]]) -> DataReport:
    return DataReport(where, [_check(name, load) for name, load in loaders])


def _check(name: str, load: Callable[[], Sample]) -> SampleCheck:
    """Load one sample and look at its labels."""
    try:
        sample = load()
    except (InputError, OSError) as error:
        return SampleCheck(name, error=str(error))
    ids, areas = np.unique(sample.labels[sample.labels > 0], return_counts=True)
    notes = ["labels no instance"] if not ids.size else []
    pieces = Counter(split_components(sample.labels)[1].values())
    split = [chosen for chosen, n in pieces.items() if n > 1]
    if split:
        shown = ", ".join(map(str, split[:SHOWN_IDS])) + (", ..." if len(split) > SHOWN_IDS else "")
        notes.append(f"{len(split)} of {ids.size} instances in several pieces: {shown}")
    most = max(pieces.values(), default=0)
    if most >= MANY_PIECES:
        notes.append(f"{most} pieces have one id; if they are separate objects, number them apart")
    notes += _ignored_elsewhere(ids.tolist())
    height, width = sample.labels.shape
    found = tuple(areas.tolist()), tuple(ids.tolist())
    return SampleCheck(name, None, tuple(notes), (height, width), *found)


def _ignored_elsewhere(ids: list[int]) -> list[str]:
    """Return a note where 255 stands apart from several ids, as tools write what is unknown."""
    if len(ids) < 3 or SEMANTIC_IGNORE not in ids or SEMANTIC_IGNORE - 1 in ids:
        return []
    return [f"{SEMANTIC_IGNORE} is an object here; where it means ignore, write -1 (TIFF or NPY)"]


def _sizes(checks: list[SampleCheck]) -> str:
    """List the commonest picture sizes, width x height."""
    sizes = Counter(check.size for check in checks).most_common()
    shown = [f"{width} x {height} ({n})" for (height, width), n in sizes[:SHOWN_SIZES]]
    more = len(sizes) - SHOWN_SIZES
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "") if shown else "-"


def _spread(values: list[int]) -> str:
    if not values:
        return "-"
    return f"{min(values)} to {max(values)}, median {np.median(values):g}"
