"""How the benchmarks measure: seconds of a call, medians in turn, peak memory of a call."""

import contextlib
import ctypes
import gc
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

Work = Callable[[], object]
Clock = Callable[[], float]


def timed(work: Work, clock: Clock = time.perf_counter) -> float:
    """Return the seconds of one call by `clock`; `time.process_time` is blind to other load."""
    start = clock()
    work()
    return clock() - start


def medians(
    codes: Mapping[str, Work], repeats: int, clock: Clock = time.perf_counter
) -> dict[str, float]:
    """Return the median seconds of each code, run in turn so that a busy machine slows all."""
    seconds: dict[str, list[float]] = {name: [] for name in codes}
    for _ in range(repeats):
        for name, work in codes.items():
            seconds[name].append(timed(work, clock))
    return {name: statistics.median(values) for name, values in seconds.items()}


def peak_memory(work: Work, device: str = "cpu") -> int:
    """Return the most bytes in use during `work` beyond those before; -1 where unknown.

    On a CPU these are the resident pages of this process, so those that `work` frees and takes
    again count once, and other processes that it starts do not count.
    """
    if device != "cpu":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        work()
        return torch.cuda.max_memory_allocated(device) - before
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)  # else freed memory would be used again unseen
    reset, status = Path("/proc/self/clear_refs"), Path("/proc/self/status")
    try:
        reset.write_text("5")
        before = _status_bytes(status, "VmRSS")
    except OSError:
        work()
        return -1
    work()
    return _status_bytes(status, "VmHWM") - before


def _status_bytes(status: Path, field: str) -> int:
    line = next(line for line in status.read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) * 1024
