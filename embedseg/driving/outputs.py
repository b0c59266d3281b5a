"""Lanes of pictures to one file of lanes and overlays; lanes of a drive to a video and a table."""

import logging
import reprlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from tqdm import tqdm

from embedseg.driving.finder import LaneFinder
from embedseg.driving.places import check_apart, check_file, check_table
from embedseg.driving.scores import warn_of_slow
from embedseg.driving.stream import BATCH, Seen, see
from embedseg.io import InputError, check_folder, read_image, write_image
from embedseg.io.listing import IMAGE_SUFFIXES
from embedseg.lanes.culane import lines_path, read_list
from embedseg.lanes.polylines import Lanes
from embedseg.lanes.tusimple import read_records
from embedseg.lanes.video import (
    FOLDER_RATE,
    Frame,
    check_rate,
    in_order,
    is_video,
    open_drive,
    read_frames,
    write_video,
)
from embedseg.lanes.writers import FORMATS, label_path, write_lanes
from embedseg.names import unknown

logger = logging.getLogger(__name__)


@dataclass
class Outcome:
    """What became of the pictures: how many frames and lanes, reasons of failures, seconds."""

    frames: int = 0
    lanes: int = 0
    failures: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    broken_off: bool = False

    @property
    def rate(self) -> float:
        """Frames a second."""
        return self.frames / max(self.seconds, 1e-9)

    def note(self, seen: Seen) -> None:
        """Count a frame."""
        self.frames += 1
        self.lanes += len(seen.lanes)


@dataclass(frozen=True)
class Pictures:
    """Pictures to look at: `names` below `root`; `rows` h_samples where a label file gave them.

    `listed`: the file that gave the names; `whole`: they are all that lie below `root`.
    """

    root: Path
    names: list[str]
    rows: list[float] | None = None
    listed: Path | None = None
    whole: bool = False

    def path(self, name: str) -> Path:
        """Return the file of a picture."""
        return self.root / name.lstrip("/")

    def inputs(self) -> list[Path]:
        """Return all files that an output must not replace, labels beside the pictures too."""
        paths = [self.path(name) for name in self.names]
        labels = [label for label in map(lines_path, paths) if label.is_file()]
        return [*paths, *labels, *([self.listed] if self.listed else [])]


def list_pictures(place: Path, names: Path | None = None) -> Pictures:
    """Return the pictures of a folder and all folders in it, or those that `names` lists.

    `names`: a TuSimple label file (raw_file and h_samples of each line) or a list of paths below
    `place` as CULane's. Raises InputError where there is none, h_samples differ between lines, or
    `place` is a video.
    """
    if place.is_file() and is_video(place):
        raise InputError(
            f"{place}: is a video, not pictures; for its lanes call embedseg predict MODEL {place} "
            f"--out {place.stem}_lanes.mp4"
        )
    if names is not None and names.suffix == ".json":
        records = read_records(names)
        rows = records[0].get("h_samples")
        check_rows(rows, names)
        if any(record.get("h_samples") != rows for record in records):
            raise InputError(f"{names}: h_samples differ between its lines; use one file for each")
        return Pictures(place, [record["raw_file"] for record in records], rows, names)
    if names is not None:
        return Pictures(place, read_list(names, needed=True), listed=names)
    if place.is_file():
        return Pictures(place.parent, [place.name])
    if not place.is_dir():
        raise InputError(f"{place}: no such picture or folder of pictures")
    below = (path.relative_to(place) for path in place.rglob("*") if path.is_file())
    found = [
        p
        for p in below
        if p.suffix.lower() in IMAGE_SUFFIXES and not any(part[0] == "." for part in p.parts)
    ]
    if not found:
        raise InputError(
            f"{place}: holds no picture; they end in {', '.join(sorted(IMAGE_SUFFIXES))}"
        )
    return Pictures(place, [path.as_posix() for path in in_order(found)], whole=True)


def check_rows(rows: Any, names: Path) -> None:
    """Raise InputError unless `rows` of the label file `names` are numbers, or not given."""
    good = isinstance(rows, list) and all(isinstance(row, int | float) for row in rows)
    if rows is not None and not good:
        raise InputError(f"{names}: h_samples {reprlib.repr(rows)} are not a list of numbers")


def predict_lanes(
    finder: LaneFinder,
    pictures: Pictures,
    out: Path,
    format: str,
    *,
    overlays: Path | None = None,
    track: bool = False,
    rate: float = FOLDER_RATE,
    batch: int = BATCH,
) -> Outcome:
    """Write the lanes of pictures as `format` (of FORMATS) to `out`, and drawings to `overlays`.

    `track`: the pictures are the frames of one drive at `rate` frames a second; ids then follow the
    lanes, and both are written; the formats of TuSimple and CULane have no place for them. A
    picture that is missing or cannot be read is reported and left out. The times
    that TuSimple's format holds are from picture to curves: of `batch` pictures
    together, divided by their number. Raises InputError, before any work, where `out` or `overlays`
    cannot be written or would replace a picture, a label beside one, or the list of them.
    """
    check_rate(rate)
    if format not in FORMATS:
        raise unknown("lane format", format, FORMATS)
    if track and overlays is None and format in ("tusimple", "culane"):
        raise ValueError(
            f"format {format!r} holds no ids of lanes, and they are drawn nowhere; leave tracking "
            "out, ask for overlays, or write json, csv or geojson"
        )
    _check_outputs(pictures, out, format, overlays)
    outcome, begin = Outcome(), time.monotonic()
    found: list[Lanes] = []
    times: dict[str, float] = {}
    frames = _read(pictures, rate, outcome)
    bar = tqdm(total=len(pictures.names), unit="frame", disable=None)
    with bar:
        for seen in see(finder, frames, batch=batch, track=track, draw=overlays is not None):
            outcome.note(seen)
            found.append(seen.lanes)
            times[seen.lanes.name] = seen.run_time
            if overlays is not None and seen.drawn is not None:
                write_image(overlays / _flat(seen.lanes.name), seen.drawn)
            bar.update()
    if not found:
        raise InputError(next(iter(outcome.failures.values())))
    if format == "tusimple":
        write_lanes(found, out, format, h_samples=pictures.rows, run_times=times)
        warn_of_slow(times.values())
    else:
        write_lanes(found, out, format)
    outcome.seconds = time.monotonic() - begin
    return outcome


def _check_outputs(pictures: Pictures, out: Path, format: str, overlays: Path | None) -> None:
    outputs = [out]
    if format != "culane":
        check_file(out)
    elif out.is_file():
        raise InputError(f"{out}: is a file; culane writes one file for each picture into a folder")
    else:
        check_folder(out)
        outputs = [label_path(out, name) for name in pictures.names]
    if overlays is not None:
        check_folder(overlays)
        if pictures.whole and overlays.resolve().is_relative_to(pictures.root.resolve()):
            raise InputError(
                f"{overlays}: lies in the folder of the pictures, and drawings in it would be "
                "taken for pictures the next time; name another one"
            )
        outputs += [overlays / _flat(name) for name in pictures.names]
    check_apart(outputs, pictures.inputs())


def _read(pictures: Pictures, rate: float, outcome: Outcome) -> Iterator[Frame]:
    for index, name in enumerate(pictures.names):
        try:
            image = read_image(pictures.path(name))
        except InputError as error:
            outcome.failures[name] = str(error)
            logger.error("%s", error)
            continue
        yield Frame(image, name, index / rate)


def _flat(name: str) -> str:
    """Return the drawing's file name of a picture: folders joined, ending in .png."""
    return "_".join(PurePosixPath(name.lstrip("/")).with_suffix(".png").parts)


def predict_drive(
    finder: LaneFinder, place: Path, out: Path, *, rate: float | None = None, batch: int = BATCH
) -> Outcome:
    """Draw the lanes of a video or a folder of frames into the video `out`, ids kept over frames.

    Beside it, `<stem>.csv` has every point of every lane: image, time, lane, point, x, y. `rate`
    replaces the frames a second of the video (folders: 20). If the drive breaks off or the work
    is interrupted, both files hold the frames until then, but for those of the last pass, and the
    outcome or the error says so. Raises InputError, before any work, where they cannot be written,
    or would replace the video that is read or a file that is no such table.
    """
    drive = open_drive(place, rate=rate)
    check_file(out)
    check_apart([out], [place])
    table = out.with_suffix(".csv")
    check_file(table)
    check_table(table)
    outcome, begin = Outcome(), time.monotonic()
    found: list[Lanes] = []
    bar = tqdm(total=drive.frames or None, unit="frame", disable=None)
    try:
        with bar, write_video(out, drive.rate) as video:
            for seen in see(finder, read_frames(drive), batch=batch, track=True, draw=True):
                if seen.drawn is not None:
                    video.add(seen.drawn)
                outcome.note(seen)
                found.append(seen.lanes)
                bar.update()
    finally:
        if found:
            write_lanes(found, table, "csv")
    outcome.seconds = time.monotonic() - begin
    outcome.broken_off = outcome.frames < drive.least
    return outcome
