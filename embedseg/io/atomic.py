"""Writing a file so that nobody ever finds it half written."""

import errno
import secrets
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
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _explained(error, path, temporary) from error
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise _explained(error, path, temporary) from error
    finally:
        temporary.unlink(missing_ok=True)


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
        files = [folder for folder in path.parents if folder.is_file()]
        return InputError(
            f"cannot write {path}: {files[0] if files else path} stands in the way; "
            "choose another name"
        )
    return error
