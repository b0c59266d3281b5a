"""A stream of frames: decoding, network, curves and drawing, side by side where cores allow."""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from embedseg.driving.finder import Found, LaneFinder
from embedseg.lanes.overlap import in_turn, overlap
from embedseg.lanes.polylines import Lanes
from embedseg.lanes.tracking import LaneTracker
from embedseg.lanes.video import Frame
from embedseg.viz import lane_overlay

Picture = NDArray[np.uint8]

BATCH = 8  # frames a pass of the network: on a processor a third faster than one by one
WAITING = 4  # frames, or one pass of them, that wait between two stages


class Seen(NamedTuple):
    """What is known of a frame: its lanes, the picture with them drawn, and the time it took.

    `run_time` in ms from the picture to its curves, without waiting: its share of the batch's.
    `drawn` is None where no drawing was asked for.
    """

    lanes: Lanes
    drawn: Picture | None
    run_time: float


def see(
    finder: LaneFinder,
    frames: Iterable[Frame],
    *,
    batch: int = 1,
    track: bool = False,
    draw: bool = False,
) -> Iterator[Seen]:
    """Yield what is seen in each frame, in order.

    `batch` pictures go through the network together, as long as they are of one size. `track`: the
    frames follow each other, so lanes keep their ids and carry the time of their frame. `draw`:
    also give the pictures with curves and ids.
    """
    if batch < 1:
        raise ValueError(f"batch must be >= 1 picture, got {batch}")
    tracker = LaneTracker(margin=2 * finder.model.spec.delta_d) if track else None
    stages = _Stages(finder, tracker, draw)
    work = (stages.prepare, stages.network, stages.lanes, stages.finish)
    source = grouped(frames, batch)
    depth = max(1, WAITING // batch)
    beside = core_to_spare(getattr(finder.model, "device", None))
    for group in overlap(source, *work, depth=depth, here=1) if beside else in_turn(source, *work):
        yield from group


def core_to_spare(device: torch.device | None) -> bool:
    """Return whether the network leaves a core for the work beside it.

    A network on the CPU waits for all of its threads at every layer. Where they are as many as the
    cores, whatever runs beside it takes a core from one of them while the others wait, which costs
    more than the work itself: then it is done between two calls of the network. No device given
    counts as the CPU.
    """
    if device is not None and device.type != "cpu":
        return True
    ours = getattr(os, "sched_getaffinity", None)  # where the system can tell
    cores = len(ours(0)) if ours else os.cpu_count() or 1
    return torch.get_num_threads() < cores


def grouped(frames: Iterable[Frame], batch: int) -> Iterator[list[Frame]]:
    """Yield the frames in lists of at most `batch`, pictures of one size in each.

    An error of the frames comes after those before it.
    """
    group: list[Frame] = []
    failure: BaseException | None = None
    try:
        for frame in frames:
            if group and (len(group) == batch or frame.image.shape != group[0].image.shape):
                yield group
                group = []
            group.append(frame)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  (raised below)
        failure = error
    if group:
        yield group
    if failure:
        raise failure


class _Work(NamedTuple):
    """A group of frames on its way: what the last stage made of them, seconds of work so far."""

    frames: list[Frame]
    made: Any
    seconds: float

    def then(self, stage: Callable[[], Any]) -> "_Work":
        begin = time.perf_counter()
        made = stage()
        return _Work(self.frames, made, self.seconds + time.perf_counter() - begin)


class _Stages(NamedTuple):
    """What happens to a group of frames, one method after the other, each in its own thread."""

    finder: LaneFinder
    tracker: LaneTracker | None
    draw: bool

    def prepare(self, frames: list[Frame]) -> _Work:
        work = _Work(frames, None, 0.0)
        return work.then(lambda: [self.finder.prepare(frame.image) for frame in frames])

    def network(self, work: _Work) -> _Work:
        names = [frame.name for frame in work.frames]
        return work.then(lambda: self.finder.network(work.made, names))

    def lanes(self, work: _Work) -> _Work:
        return work.then(
            lambda: [
                self.finder.lanes(work.made, index, frame.image, frame.name)
                for index, frame in enumerate(work.frames)
            ]
        )

    def finish(self, work: _Work) -> list[Seen]:
        share = 1000 * work.seconds / len(work.frames)
        return [
            self._seen(frame, found, share)
            for frame, found in zip(work.frames, work.made, strict=True)
        ]

    def _seen(self, frame: Frame, found: Found, run_time: float) -> Seen:
        lanes = found.lanes
        if self.tracker is not None:
            lanes = replace(self.tracker.update(lanes, found.means), time=frame.time)
        drawn = lane_overlay(frame.image, lanes.points, lanes.ids) if self.draw else None
        return Seen(lanes, drawn, run_time)
