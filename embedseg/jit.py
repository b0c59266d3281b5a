"""Compiled kernels: nothing at import, cached on disk by the first call."""

from collections.abc import Callable
from typing import Any

import numba


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function of arrays and numbers that releases the interpreter lock.

    The machine code lies beside the file or, where that folder cannot be written, in the user's
    cache folder; where neither can be written, each process compiles once.
    """
    try:
        compiled: Callable[..., Any] = numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # numba: no folder for the cache can be written
        compiled = numba.njit(nogil=True)(function)
    return compiled
