"""Lanes in time: post-processing for each frame, and the whole road beside the network alone.

Frames are generated roads; network, clustering and curves are those of the model that ships.
Measured: clustering, curves and both for a frame at 512 x 256 (target: 3 ms together, curves 1 ms);
and a drive through `see`, whose stages overlap, beside its network alone on the same batches
(target: 1.15 times). Before anything is timed, the result is checked: the overlapped stream gives
the lanes of one frame after the other, and the compiled fit is the minimum that a slow, plain
least squares finds on its points.

    python scripts/benchmark_lanes.py [--frames N] [--repeats N] [--threads N] [--device cuda]
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from embedseg.data.roads import roads
from embedseg.device import keep_memory
from embedseg.driving.finder import HEADS, LaneFinder
from embedseg.driving.stream import see
from embedseg.lanes.curves import fit_lanes
from embedseg.lanes.polylines import Lanes
from embedseg.lanes.robust import evaluate, fit
from embedseg.lanes.video import Frame
from embedseg.model import Model
from embedseg.weights import shipped

TARGET_MS, TARGET_CURVES_MS, TARGET_RATIO = 3.0, 1.0, 1.15


def check_fit(rng: np.random.Generator) -> None:
    """Raise AssertionError unless the compiled fit equals plain least squares on exact points."""
    t = np.linspace(-1, 1, 120)
    u = 40 * t + 25 * t**2 - 18 * t**3 + rng.uniform(-0.2, 0.2, 120)  # nothing far off: no outlier
    weight = rng.uniform(3, 7, 120)
    slow = np.polynomial.legendre.legfit(t, u, 3, w=np.sqrt(weight))
    quick = evaluate(t, fit(t, u, weight, np.ones(120), 0, 4, 0.0), 0)
    apart = np.abs(quick - np.polynomial.legendre.legval(t, slow)).max()
    if apart > 0.05:
        raise AssertionError(f"the compiled fit is {apart:.3f} px from plain least squares")


def check_stream(finder: LaneFinder, frames: list[Frame], batch: int) -> None:
    """Raise AssertionError unless the stream gives what one frame after the other gives."""
    for frame, seen in zip(frames, see(finder, frames, batch=batch), strict=True):
        alone = finder(frame.image, frame.name).lanes
        if not alike(alone, seen.lanes):
            raise AssertionError(f"{frame.name}: the stream's lanes are not those of the frame")


def alike(a: Lanes, b: Lanes) -> bool:
    """Return whether two frames have the same lanes, but for rounding."""
    return len(a) == len(b) and all(
        p.shape == q.shape and np.allclose(p, q, atol=0.5)
        for p, q in zip(a.points, b.points, strict=True)
    )


def each_ms(work: Callable[[Any], object], items: list[Any], repeats: int) -> float:
    """Return the median time of `work` on an item, in ms."""
    times = []
    for _ in range(repeats):
        for item in items:
            start = time.perf_counter()
            work(item)
            times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times)


def post_processing(finder: LaneFinder, frames: list[Frame], repeats: int) -> dict[str, float]:
    """Return the median ms of a frame's clustering, curves and both with what binds them."""
    outputs = [finder.network([finder.prepare(f.image)], [f.name]) for f in frames]
    arrays = [[out[key][0] for key in HEADS if key in out] for out in outputs]
    labels = [finder.cluster(*parts)[0] for parts in arrays]
    least = finder.model.spec.min_size
    size = (720, 1280)
    pictures = [np.broadcast_to(np.zeros(1, np.uint8), (*size, 3))] * len(frames)
    both = list(zip(outputs, pictures, strict=True))
    return {
        "clustering": each_ms(lambda parts: finder.cluster(*parts), arrays, repeats),
        "curves": each_ms(lambda one: fit_lanes(one, size, min_pixels=least), labels, repeats),
        "both": each_ms(lambda pair: finder.lanes(pair[0], 0, pair[1], ""), both, repeats),
    }


def end_to_end(
    finder: LaneFinder, frames: list[Frame], batch: int, repeats: int
) -> tuple[float, float, float]:
    """Return the median ms a frame of the stream and of its network alone, and of their ratio.

    They take turns and a ratio is that of one turn, so that a slow moment falls on both.
    """
    groups = [frames[i : i + batch] for i in range(0, len(frames), batch)]
    prepared = [[finder.prepare(frame.image) for frame in group] for group in groups]
    names = [[frame.name for frame in group] for group in groups]

    def network() -> None:
        for pictures, named in zip(prepared, names, strict=True):
            finder.network(pictures, named)

    whole: list[float] = []
    alone: list[float] = []
    for _ in range(repeats):
        for times, work in (
            (alone, network),
            (whole, lambda: [None for _ in see(finder, frames, batch=batch)]),
        ):
            start = time.perf_counter()
            work()
            times.append(1000 * (time.perf_counter() - start) / len(frames))
    ratios = [a / b for a, b in zip(whole, alone, strict=True)]
    return statistics.median(whole), statistics.median(alone), statistics.median(ratios)


def verdict(value: float, target: float) -> str:
    """Return a word for the table."""
    return "met" if value <= target else "MISSED"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=0, help="of the network (default: all)")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    keep_memory()  # as the commands do
    if options.threads:
        torch.set_num_threads(options.threads)
    finder = LaneFinder(Model.load(shipped()["lanes"], device=options.device))
    samples = list(roads(options.frames, seed=5))
    frames = [Frame(s.image, s.name, i / 20) for i, s in enumerate(samples)]
    check_fit(np.random.default_rng(0))
    for batch in options.batches:
        check_stream(finder, frames, batch)
    print(
        f"{options.frames} frames, {torch.get_num_threads()} threads, {options.device}, "
        f"load {os.getloadavg()[0]:.1f}; results checked"
    )
    for name, value in post_processing(finder, frames, options.repeats).items():
        target = {"curves": TARGET_CURVES_MS, "both": TARGET_MS}.get(name)
        note = "" if target is None else f"  target {target:g}: {verdict(value, target)}"
        print(f"{name:>12} {value:7.2f} ms{note}")
    for batch in options.batches:
        whole, alone, ratio = end_to_end(finder, frames, batch, 3 * options.repeats)
        print(
            f"    batch {batch:2d} {whole:7.2f} ms a frame ({1000 / whole:.0f} a second), network "
            f"{alone:.2f} ms, ratio {ratio:.3f}  target {TARGET_RATIO}: "
            f"{verdict(ratio, TARGET_RATIO)}"
        )


if __name__ == "__main__":
    main()
