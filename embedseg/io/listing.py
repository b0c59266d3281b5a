"""From what a user types to a list of image files: a file, a folder, a pattern, or `-`."""

import glob
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

from embedseg.errors import InputError

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp"})


def list_images(
    inputs: str | Path | Iterable[str | Path], *, stdin: TextIO | None = None
) -> list[Path]:
    """Return the sorted paths, each once, that `inputs` stand for.

    A folder stands for the images directly in it; a pattern (`*`, `?`, `[...]`, `**` for folders
    at any depth) for the images it matches; `-` for the paths read from `stdin` (one a line,
    sys.stdin by default); all else for itself. Images in folders and patterns are known by
    IMAGE_SUFFIXES, hidden files are left out. A path that does not exist, or a link to nothing, is
    kept beside others that do, so that its own reading reports it. Of two spellings of one path
    (`a.png`, `./b/../a.png`) one stays.

    Raises InputError where an input stands for nothing, or no path exists at all.
    """
    given = [inputs] if isinstance(inputs, str | Path) else list(inputs)
    if not given:
        raise InputError("no input was given; name an image, a folder, a pattern or -")
    found: set[Path] = set()
    for item in given:
        found.update(_from_stdin(stdin or sys.stdin) if str(item) == "-" else _expand(item))
    if not any(path.exists() for path in found):
        raise InputError(f"{min(found)} does not exist; check the path")
    once = {os.path.abspath(path): path for path in sorted(found, reverse=True)}  # noqa: PTH100
    return sorted(once.values())


def _from_stdin(stdin: TextIO) -> set[Path]:
    lines = [line.strip() for line in stdin]
    found = set().union(*(_expand(line) for line in lines if line))
    if not found:
        raise InputError("- was given but no path came on the standard input; pipe one a line")
    return found


def _expand(item: str | Path) -> set[Path]:
    path = Path(item)
    if path.is_dir():
        inside = sorted(path.iterdir())
        folders = [p.name for p in inside if p.is_dir()]
        deeper = f" but folders, such as {folders[0]}: write '{item}/**/*'" if folders else ""
        return _images(inside, f"the folder {item} holds no image{deeper}")
    if not path.exists() and glob.has_magic(str(item)):
        matches = glob.glob(str(item), recursive=True)  # noqa: PTH207  Path.glob takes no absolute
        return _images(map(Path, matches), f"the pattern {item} matches no image")
    return {path}


def _images(paths: Iterable[Path], complaint: str) -> set[Path]:
    found = {
        path
        for path in paths
        if path.suffix.lower() in IMAGE_SUFFIXES and not path.is_dir() and path.name[0] != "."
    }
    if not found:
        raise InputError(f"{complaint}; images end in {', '.join(sorted(IMAGE_SUFFIXES))}")
    return found
