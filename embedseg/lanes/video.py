"""Frames of a drive: from a video file or a folder of pictures, and back into a video file."""

import logging
import math
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from embedseg._cv2 import cv2
from embedseg.io import InputError, atomic_path, read_image
from embedseg.io.listing import IMAGE_SUFFIXES

Picture = NDArray[np.uint8]

VIDEOS = frozenset(
    {".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v"}
    | {".gif", ".wmv", ".flv", ".mpg", ".mpeg", ".3gp", ".ogv"}
)
CODECS = {".mp4": "mp4v", ".m4v": "mp4v", ".mov": "mp4v", ".avi": "MJPG", ".mkv": "MJPG"}
MAX_RATE = 1000  # frames a second; what claims more has no rate
FOLDER_RATE = 20.0  # frames a second of a folder of pictures; TuSimple's clips have 20
SLACK = 1.0  # seconds by which a complete video may end before its header says, see `Drive`

_log = logging.getLogger(__name__)


class Frame(NamedTuple):
    """One frame: RGB picture, its name, and seconds from the beginning."""

    image: Picture
    name: str
    time: float


class Drive(NamedTuple):
    """What is known of a video or folder before its frames are read; `frames` 0 if unknown.

    With fewer than `least` frames it breaks off. Many containers tell the length of the longest
    stream alone, and sound goes on after the last picture; others count frames that a cut without
    encoding anew has hidden. So a second may be missing of a video; of a folder nothing.
    """

    path: Path
    frames: int
    rate: float
    least: int


def is_video(path: str | Path) -> bool:
    """Return whether a path is a video by its ending."""
    return Path(path).suffix.lower() in VIDEOS


def open_drive(path: str | Path, *, rate: float | None = None) -> Drive:
    """Look at a video file or a folder of pictures; `rate` replaces the frames a second of either.

    Raises InputError for what is neither, a file that cannot be decoded, or a folder without
    pictures.
    """
    path = Path(path)
    if rate is not None:
        check_rate(rate)
    if path.is_dir():
        count = len(_pictures(path))
        if not count:
            raise InputError(
                f"{path}: holds no picture; frames end in {', '.join(sorted(IMAGE_SUFFIXES))}"
            )
        return Drive(path, count, rate or FOLDER_RATE, count)
    with _capture(path) as video:
        found = float(video.get(cv2.CAP_PROP_FPS))
        count = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
    own = found if 0 < found < MAX_RATE else FOLDER_RATE
    return Drive(path, max(count, 0), rate or own, max(math.ceil(count - SLACK * own), 0))


def check_rate(rate: float) -> None:
    """Raise ValueError unless `rate` is a possible number of frames a second."""
    if not 0 < rate < MAX_RATE:
        raise ValueError(f"rate must be > 0 and < {MAX_RATE} frames a second, got {rate}")


def read_frames(drive: Drive) -> Iterator[Frame]:
    """Yield the frames in order: pictures by the numbers in their names, `2.jpg` before `10.jpg`.

    A video that breaks off ends the frames with a logged warning; a picture that cannot be read is
    left out with one. Raises InputError where not one frame could be read.
    """
    count = 0
    for frame in _from_folder(drive) if drive.path.is_dir() else _from_video(drive):
        count += 1
        yield frame
    if not count:
        raise InputError(f"{drive.path}: not one frame could be read; is it a complete video?")


def _from_folder(drive: Drive) -> Iterator[Frame]:
    for index, path in enumerate(_pictures(drive.path)):
        try:
            yield Frame(read_image(path), path.name, index / drive.rate)
        except InputError as error:
            _log.warning("%s: frame left out", error)


def _from_video(drive: Drive) -> Iterator[Frame]:
    with _capture(drive.path) as video:
        clock = _Clock(video, drive.rate)
        index = 0
        while True:
            ok, image = video.read()
            if not ok:
                break
            name = f"{drive.path.stem}_{index:06}"
            yield Frame(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), name, clock.time(index))
            index += 1
    if index < drive.least:
        _log.warning(
            "%s breaks off after %d of %d frames, or its sound goes on for longer",
            drive.path, index, drive.frames,
        )  # fmt: skip


class _Clock:
    """Times of the frames of a video: its own, or those of another rate if one was asked for.

    Cameras and screen recorders drop frames, so that frames need not be evenly spaced. A frame
    whose own time is not after the last one's (some containers lack it) follows that evenly.
    """

    def __init__(self, video: Any, rate: float) -> None:
        self._video, self._rate = video, rate
        self._own = float(video.get(cv2.CAP_PROP_FPS)) == rate
        self._first = self._last = 0.0

    def time(self, index: int) -> float:
        """Return the seconds of the frame that was read last, from the first one."""
        if not self._own:
            return index / self._rate
        now = self._video.get(cv2.CAP_PROP_POS_MSEC) / 1000
        if index == 0:
            self._first = now
            return 0.0
        own = now - self._first
        self._last = own if own > self._last else self._last + 1 / self._rate
        return self._last


@contextmanager
def _capture(path: Path) -> Iterator[Any]:
    if not path.is_file():
        raise InputError(f"{path}: no such video or folder of frames")
    video = cv2.VideoCapture(str(path))
    try:
        if not video.isOpened():
            raise InputError(
                f"{path}: cannot be decoded; convert it, for instance to H.264 in .mp4"
            )
        yield video
    finally:
        video.release()


def _pictures(folder: Path) -> list[Path]:
    """Return the pictures of a folder in the order of their numbers."""
    found = [p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES and p.name[0] != "."]
    return in_order(found)


def in_order(paths: Iterable[Path]) -> list[Path]:
    """Return paths sorted, numbers in their names compared as numbers: 2.jpg before 10.jpg."""
    return sorted(paths, key=lambda path: [_words(part) for part in path.parts])


def _words(text: str) -> list[tuple[int, str]]:
    pieces = re.split(r"(\d+)", text)
    return [(int(piece), "") if piece.isdecimal() else (-1, piece) for piece in pieces]


class VideoWriter:
    """Writes RGB frames of one size; made by `write_video`."""

    def __init__(self, path: Path, rate: float, shown: Path) -> None:
        self._path, self._rate, self._shown = path, rate, shown
        self._video: Any = None
        self._size = (0, 0)
        self.frames = 0

    def add(self, image: Picture) -> None:
        """Append a frame; raises InputError for another size than the first one's."""
        size = (image.shape[1], image.shape[0])
        if self._video is None:
            self._size = size
            self._video = self._opened(size)
        if size != self._size:
            raise InputError(
                f"{self._shown}: its frames of {self._size[0]} x {self._size[1]} cannot be "
                f"followed by frame {self.frames + 1} of {size[0]} x {size[1]}; give frames of one "
                "size"
            )
        self._video.write(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        self.frames += 1

    def _opened(self, size: tuple[int, int]) -> Any:
        codec = CODECS[self._path.suffix.lower()]
        video = cv2.VideoWriter(str(self._path), cv2.VideoWriter.fourcc(*codec), self._rate, size)
        if not video.isOpened():
            raise InputError(f"{self._shown}: OpenCV cannot write {codec} video here; try .avi")
        return video

    def close(self) -> None:
        """End the file; a video needs at least one frame."""
        if self._video is None:
            raise InputError(f"{self._shown}: there was no frame to write")
        self._video.release()


@contextmanager
def write_video(path: str | Path, rate: float) -> Iterator[VideoWriter]:
    """Yield a `VideoWriter` whose file appears under `path` when the block ends.

    If the block raises after the first frame, the file holds the frames until then, so that nothing
    that was seen is lost; if it raises before, there is no file. The ending says the format: .mp4,
    .m4v, .mov (MPEG-4), .avi, .mkv (Motion JPEG). Of an odd width or height OpenCV leaves out the
    last column or row. Raises InputError for another ending, no frame,
    or a codec that this OpenCV lacks.
    """
    path = Path(path)
    if path.suffix.lower() not in CODECS:
        raise InputError(f"{path}: a video must end in {', '.join(CODECS)}")
    broken: BaseException | None = None
    with atomic_path(path) as temporary:
        writer = VideoWriter(temporary, rate, path)
        try:
            yield writer
        except BaseException as error:
            if not writer.frames:
                raise
            broken = error
        writer.close()
    if broken is not None:
        raise broken
