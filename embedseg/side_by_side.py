"""Several pictures at a time, each from its file to its files by one worker.

A network spreads one picture over all cores, but its many small layers wait for the slowest core
each time, and what a second thread does meanwhile (reading, clustering, writing) makes them all
wait. A picture for each core never waits: all of the processors' time is work. The share of threads
is torch's own setting and OpenCV's, put back at the end.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch

from embedseg._cv2 import cv2

MOST = 4  # pictures at a time: each takes the memory of a network's run
FEW, LARGE = 2, 1024  # so many if they are larger than this, or of any size
BESIDE_A_GPU = 3  # one is read, one is on the device, one is clustered and written

Result = TypeVar("Result")


def side_by_side(
    job: Callable[[Path], Result],
    paths: Sequence[Path],
    device: torch.device,
    working_size: int | tuple[int, int] = 0,
    alike: bool = False,
) -> Iterator[tuple[Path, "Future[Result]"]]:
    """Yield each path, in order, with the future of `job(path)`.

    On a processor with T threads (`torch.get_num_threads`) up to MOST jobs run at a time, or FEW
    for a large working size, each with its share of the threads; what does not fill a last row goes
    one by one with all threads, unless they shall be `alike`, for what must be prepared anew for
    another number of threads. Beside another device BESIDE_A_GPU jobs run, each with all threads.
    """
    threads = torch.get_num_threads()
    if device.type != "cpu":
        yield from _at_a_time(job, paths, BESIDE_A_GPU, threads)
        return
    small = 0 < np.max(working_size) <= LARGE
    workers = min(MOST if small else FEW, threads)
    whole = len(paths) if alike else len(paths) // workers * workers
    yield from _at_a_time(job, paths[:whole], workers, threads // workers)
    yield from _at_a_time(job, paths[whole:], 1, threads)


def _at_a_time(
    job: Callable[[Path], Result], paths: Sequence[Path], workers: int, threads: int
) -> Iterator[tuple[Path, "Future[Result]"]]:
    """Yield each path with its job; `workers` run at a time, each with `threads` threads."""
    begun: deque[tuple[Path, Future[Result]]] = deque()
    with (
        kept_threads(),
        ThreadPoolExecutor(workers, initializer=share, initargs=(threads,)) as pool,
    ):
        try:
            for path in paths:
                begun.append((path, pool.submit(job, path)))
                if len(begun) > workers:
                    yield begun.popleft()
            yield from begun
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def kept_threads() -> Iterator[None]:
    """Put torch's and OpenCV's numbers of threads back at the end of the block."""
    before = torch.get_num_threads(), cv2.getNumThreads()
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])


def share(threads: int) -> None:
    """Let this thread, and OpenCV, use `threads` threads."""
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
