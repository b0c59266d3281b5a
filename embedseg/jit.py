"""Compiled kernels: nothing at import, cached on disk by the first call.

The machine code lies beside the file or, where that folder cannot be written, in the user's cache
folder, else in a folder of the temporary folder that nobody else can write to; where none of them
can be had, each process compiles once.
"""

import logging
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numba.core.config

_log = logging.getLogger(__name__)

MATHS = {"reassoc", "contract", "arcp", "nsz"}  # reorder sums, but keep NaN and infinity


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a function of arrays and numbers that releases the interpreter lock."""
    return _cached(function, {"nogil": True})


def fast_kernel(function: Callable[..., Any]) -> Any:
    """Compile as `kernel` does; sums may be added in another order, for vectors of the processor.

    It may call others of its kind: they are cached with it.
    """
    return _cached(function, {"nogil": True, "fastmath": MATHS})


def fast_helper(function: Callable[..., Any]) -> Any:
    """Compile a function into each fast kernel that calls it."""
    return numba.njit(inline="always", fastmath=MATHS)(function)


def announce(compiled: Any) -> None:
    """Say so if a kernel is about to be compiled: it takes 1 to 30 seconds, once per machine."""
    if compiled.signatures:
        return
    folder = compiled.stats.cache_path
    file = f"*.{compiled.__name__}-{compiled.__code__.co_firstlineno}.*"
    if not folder or not any(Path(folder).glob(file)):
        where = f", kept in {folder}" if folder else ""
        _log.warning("compiling kernel %s, up to half a minute%s", compiled.__name__, where)


def _cached(function: Callable[..., Any], options: dict[str, Any]) -> Any:
    compiler = numba.njit(cache=True, **options)
    try:
        return compiler(function)
    except RuntimeError:  # numba found no writable place for its cache
        folder = _private_folder()
    if folder is None:
        return numba.njit(**options)(function)
    config: Any = numba.core.config
    before, config.CACHE_DIR = config.CACHE_DIR, str(folder)
    try:
        return compiler(function)
    finally:
        config.CACHE_DIR = before


def _private_folder() -> Path | None:
    """Return a folder in the temporary folder that nobody else can write to, or None."""
    user = os.getuid() if hasattr(os, "getuid") else 0
    folder = Path(tempfile.gettempdir()) / f"embedseg-numba-{user}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        state = folder.lstat()
    except OSError:
        return None
    private = not folder.is_symlink() and state.st_uid == user and not state.st_mode & 0o022
    return folder if private and os.access(folder, os.W_OK) else None
