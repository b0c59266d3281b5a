"""Running the stages of a stream at the same time, each in a thread of its own."""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

_END = object()


class _Failure:
    def __init__(self, error: BaseException) -> None:
        self.error = error


def overlap(
    source: Iterable[Any], *stages: Callable[[Any], Any], depth: int = 4, here: int | None = None
) -> Iterator[Any]:
    """Yield `stages[-1](...stages[0](item))` for each item of `source`, in order.

    Reading the source and every stage run in their own threads, with at most `depth` items waiting
    between two; decoding, the network, and compiled clustering release the interpreter lock, so
    they overlap. Stage `here` runs in the thread that asks for the items: the one for a network on
    the CPU, whose helpers belong to the thread that calls it (OpenMP makes new ones for each other
    thread, and puts all to sleep between layers once there are more of them than cores). An error
    in any of them is raised here; leaving the loop early stops the threads.
    """
    if depth < 1:
        raise ValueError(f"depth must be >= 1 item, got {depth}")
    stop = threading.Event()
    queues: list[queue.Queue[Any]] = [queue.Queue(depth) for _ in range(len(stages) + 1)]
    threads = [threading.Thread(target=_feed, args=(source, queues[0], stop), daemon=True)]
    threads += [
        threading.Thread(target=_work, args=(stage, queues[i], queues[i + 1], stop), daemon=True)
        for i, stage in enumerate(stages)
        if i != here
    ]
    for thread in threads:
        thread.start()
    done = iter(queues[-1].get, None)
    if here is not None:
        done = _beside(stages[here], queues[here], queues[here + 1], queues[-1])
    try:
        for item in done:
            if item is _END:
                return
            if isinstance(item, _Failure):
                raise item.error
            yield item
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def in_turn(source: Iterable[Any], *stages: Callable[[Any], Any]) -> Iterator[Any]:
    """Yield what `overlap` does, one stage after the other in the thread that asks."""
    for item in source:
        for stage in stages:
            item = stage(item)
        yield item


def _beside(
    stage: Callable[[Any], Any],
    source: "queue.Queue[Any]",
    out: "queue.Queue[Any]",
    done: "queue.Queue[Any]",
) -> Iterator[Any]:
    """Work on the items of `source` and yield those that are done, to the last and its _END."""
    item = None
    while item is not _END and not isinstance(item, _Failure):
        item = _made(stage, source.get())
        while out.full():
            yield done.get()
        out.put(item)
        while not done.empty():
            yield done.get()
    while True:
        yield done.get()


def _made(stage: Callable[[Any], Any], item: Any) -> Any:
    """Return what a stage makes of an item; the end and failures pass."""
    if item is _END or isinstance(item, _Failure):
        return item
    try:
        return stage(item)
    except BaseException as error:  # noqa: BLE001  (raised where the results are read)
        return _Failure(error)


def _feed(source: Iterable[Any], out: "queue.Queue[Any]", stop: threading.Event) -> None:
    try:
        for item in source:
            if not _put(out, item, stop):
                return
    except BaseException as error:  # noqa: BLE001  (raised again where the results are read)
        _put(out, _Failure(error), stop)
        return
    _put(out, _END, stop)


def _work(
    stage: Callable[[Any], Any],
    source: "queue.Queue[Any]",
    out: "queue.Queue[Any]",
    stop: threading.Event,
) -> None:
    while not stop.is_set():
        try:
            item = source.get(timeout=0.1)
        except queue.Empty:
            continue
        item = _made(stage, item)
        if not _put(out, item, stop) or item is _END or isinstance(item, _Failure):
            return


def _put(out: "queue.Queue[Any]", item: Any, stop: threading.Event) -> bool:
    """Put an item, waiting for room; return False when the stream was stopped meanwhile."""
    while not stop.is_set():
        try:
            out.put(item, timeout=0.1)
            return True
        except queue.Full:
            continue
    return False
