"""CULane label files: for each picture a `.lines.txt` with a lane a line, `x y x y ...`."""

import math
from collections.abc import Iterable
from pathlib import Path

from embedseg.io import InputError
from embedseg.lanes.polylines import Lanes, Size, lanes_of

ENDING = ".lines.txt"


def lines_path(image: str | Path) -> Path:
    """Return the label file beside a picture: `a/00000.jpg` has `a/00000.lines.txt`."""
    return Path(image).with_suffix(ENDING)


def read_culane(path: str | Path, size: Size | None = None, name: str = "") -> Lanes:
    """Read one `.lines.txt`; a lane without a point is left out, an empty file has no lanes.

    Raises InputError, with the number of the line, for an odd count or what is not a number.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; CULane keeps one {ENDING} beside each picture")
    lanes = []
    for number, line in enumerate(
        path.read_text(encoding="utf-8-sig", errors="replace").split("\n"), 1
    ):
        try:
            values = [float(word) for word in line.split()]
        except ValueError as error:
            raise InputError(f"{path}, line {number}: {error}; a lane is x y x y ...") from error
        if len(values) % 2:
            raise InputError(f"{path}, line {number}: an x without a y ({len(values)} numbers)")
        if not all(map(math.isfinite, values)):
            raise InputError(f"{path}, line {number}: a coordinate is not finite")
        lanes.append(list(zip(values[::2], values[1::2], strict=True)))
    return lanes_of(lanes, size, name)


def read_culane_set(
    root: str | Path, images: Iterable[str], *, missing_is_empty: bool = False
) -> dict[str, Lanes]:
    """Read the lanes of pictures named as in the list files, such as `/driver_37/x.MP4/00000.jpg`.

    `missing_is_empty`: a prediction folder may lack the file of a picture without lanes.
    """
    found = {}
    for name in images:
        path = lines_path(Path(root) / name.lstrip("/"))
        if missing_is_empty and not path.is_file():
            found[name] = Lanes(name=name)
        else:
            found[name] = read_culane(path, name=name)
    return found


def read_list(path: str | Path, *, needed: bool = False) -> list[str]:
    """Read a list file: the first word of each line is a picture's path under the data folder.

    Raises InputError where there is no such file, or `needed` and not one line.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such list file; CULane's lie in its folder list/")
    text = path.read_text(encoding="utf-8-sig", errors="replace")  # as Windows' editors write it
    words = [line.split() for line in text.splitlines()]
    names = [line[0] for line in words if line]
    if needed and not names:
        raise InputError(f"{path}: lists no picture; write a path below the folder on each line")
    return names


def read_categories(folder: Path) -> dict[str, list[str]]:
    """Return the pictures of each category: `test0_normal.txt` lists those of "normal"."""
    files = sorted(folder.glob("test*_*.txt"))
    return {file.stem.partition("_")[2]: read_list(file) for file in files}


def to_text(lanes: Lanes) -> str:
    """Return the content of a `.lines.txt`, coordinates to 1/1000 px."""
    rows = (
        " ".join(f"{v:.3f}".rstrip("0").rstrip(".") for v in lane.ravel()) for lane in lanes.points
    )
    return "".join(row + "\n" for row in rows)
