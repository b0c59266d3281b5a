"""What is refused before any work: outputs that cannot be written, or would replace the inputs."""

from collections.abc import Iterable
from pathlib import Path

from embedseg.io import InputError, check_folder
from embedseg.lanes.writers import COLUMNS


def check_file(path: Path) -> None:
    """Raise InputError where no file can be written at `path`; nothing is made."""
    if path.is_dir():
        raise InputError(f"{path}: is a folder; name a file, in it or elsewhere")
    check_folder(path.parent)


def check_apart(outputs: Iterable[Path], inputs: Iterable[Path]) -> None:
    """Raise InputError where one of the outputs is one of the inputs, or comes twice."""
    read = {path.resolve() for path in inputs}
    written = set[Path]()
    for path in outputs:
        if path in written:
            raise InputError(
                f"{path}: would be written for two pictures; rename one of them, or look for the "
                "lanes of each folder by itself"
            )
        written.add(path)
        if path.resolve() in read:
            raise InputError(
                f"{path}: is an input, which the output would replace; choose another name or "
                "folder for the output"
            )


def check_table(path: Path) -> None:
    """Raise InputError where a table of lanes would replace a file that is none."""
    if not path.is_file():
        return
    ours = ",".join(COLUMNS)
    with path.open(encoding="utf-8", errors="replace") as file:
        first = file.readline(len(ours) + 1)
    if first.rstrip("\n") != ours:
        raise InputError(
            f"{path}: is no table of lanes (which begins with {ours}) and would be "
            "replaced by one; rename it, or choose another name for the video"
        )
