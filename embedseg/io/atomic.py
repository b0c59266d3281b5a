"""Writing a file so that nobody ever finds it half written."""

import errno
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from embedseg.errors import InputError

FULL = {errno.ENOSPC: "no space left on the disk", errno.EDQUOT: "the disk quota is used up"}
REFUSED = {
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.EROFS: "the disk is read-only",
}


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`, which becomes `path` when the block ends well.

    Parent folders are made. If the block raises, or the process is killed, what stood at `path`
    before is untouched; if it raises, the temporary file is gone. A full disk and a folder that
    may not be written to become an InputError. The temporary name keeps the suffix of `path`,
    because writers choose their format by it.
    """
    path = Path(path)
    temporary = path.with_name(f".tmp-{secrets.token_hex(6)}{path.suffix}")
    make_folder(path.parent)
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise _explained(error, path, temporary) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> Path:
    """Write a text in UTF-8, whole or not at all, and return its path."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return Path(path)


def make_folder(path: str | Path) -> Path:
    """Make a folder and those around it, where they are not there yet, and return it.

    Raises InputError where a file stands in its way, or nothing may be made there.
    """
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _explained(error, path, path) from error
    return path


def check_folder(path: str | Path) -> None:
    """Raise InputError, as `make_folder` does, where a folder cannot be made or written into.

    Nothing is made, so that work which fails leaves no empty folder.
    """
    path = Path(path)
    place = next(folder for folder in (path, *path.parents, Path()) if folder.exists())
    try:
        tempfile.TemporaryFile(dir=place).close()
    except OSError as error:
        error.filename = str(path)
        raise _explained(error, path, path) from error


def _explained(error: OSError, path: Path, temporary: Path) -> OSError | InputError:
    """Return the sentence for an error that concerns the writing of `path`, else the error."""
    if error.errno in FULL:
        return InputError(
            f"cannot write {path}: {FULL[error.errno]}; free some or choose another folder"
        )
    if str(error.filename) not in {str(temporary), str(path), *map(str, path.parents)}:
        return error
    if error.errno in REFUSED:
        return InputError(
            f"cannot write {path}: {REFUSED[error.errno]}; choose a folder you may write to"
        )
    if isinstance(error, NotADirectoryError | FileExistsError | IsADirectoryError):
        files = [place for place in (path, *path.parents) if place.is_file()]
        return InputError(
            f"cannot write {path}: {files[-1] if files else path} stands in the way; "
            "choose another name"
        )
    return InputError(f"cannot write {path}: {error.strerror}; choose another place")
