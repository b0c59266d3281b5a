"""Compiled kernels: nothing at import, cached on disk, a message while it takes time.

A kernel is compiled by its first call (seconds), stored beside its file or, where that folder
cannot be written, in the user's cache folder, and read back (milliseconds) by later processes.
Where no folder can be written it is compiled once per process.
"""

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba

log = logging.getLogger(__name__)

PATIENCE = 0.5  # seconds before a first call is said to be compiling; reading the cache takes less
# What fast mathematics may do. NaN and infinity keep their meaning: they are how bad input is seen.
MATHS = {"reassoc", "contract", "nsz", "arcp"}
OPTIONS: dict[str, Any] = {"nogil": True, "fastmath": MATHS, "error_model": "numpy"}

_said = threading.Event()


def helper(function: Callable[..., Any]) -> Any:
    """Compile a function that kernels call into each of its callers."""
    return numba.njit(inline="always")(function)


def routine(function: Callable[..., Any]) -> Any:
    """Compile a function that kernels call once for all its callers."""
    return numba.njit(**OPTIONS)(function)


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function of arrays and numbers that releases the interpreter lock."""
    try:
        compiled = numba.njit(cache=True, **OPTIONS)(function)
    except RuntimeError:  # numba: no folder for the cache can be written
        compiled = numba.njit(**OPTIONS)(function)

    ready = False

    def call(*arguments: Any) -> Any:
        nonlocal ready
        if ready:  # numba's own list of signatures takes as long as a small call
            return compiled(*arguments)
        timer = threading.Timer(PATIENCE, _say, [compiled])
        timer.daemon = True
        timer.start()
        try:
            result = compiled(*arguments)
        finally:
            timer.cancel()
        ready = True
        return result

    call.compiled = compiled  # type: ignore[attr-defined]
    return call


def on_disk(compiled: Any) -> bool:
    """Tell whether an index of compiled forms of a kernel lies in its cache folder."""
    folder = compiled.stats.cache_path
    function = compiled.py_func
    index = f"*.{function.__qualname__}-{function.__code__.co_firstlineno}.*.nbi"
    return bool(folder) and any(Path(folder).glob(index))


def _say(compiled: Any) -> None:
    """Say that kernels are being compiled, unless this one is merely being read from disk."""
    if not compiled.signatures and not _said.is_set() and not on_disk(compiled):
        _said.set()
        log.warning(
            "compiling the clustering kernels: once, a few seconds; later runs read them from disk"
        )
