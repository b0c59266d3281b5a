"""Where the time of a training step goes, and the same step in plain torch.

    python scripts/benchmark_training.py [--preset leaves] [--threads 1] [--amp bf16] [--repeats 10]

Both sides train the preset's network from the same weights on the same batches of generated plants
and must find the same loss. "plain torch" has torch's own transposed convolutions and writes both
losses of the embedding as tensor operations. Times are medians of processor time, in turn. Both
sides keep the memory that they free, as `embedseg train` does.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any
from unittest import mock

import torch

from embedseg.device import choose_amp, keep_memory
from embedseg.losses import seed
from embedseg.models import transposed_conv
from embedseg.training import loop
from embedseg.training.distributed import World
from embedseg.training.job import Job, prepare
from embedseg.training.objective import Objective
from embedseg.training.options import read_config
from embedseg.training.sampling import Batch, loader

CLOSE = 0.02  # relative difference of the two losses that mixed precision may make
PARTS = ("forward", "losses", "backward", "weights")


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--preset", default="leaves")
    parser.add_argument("--size", type=int, default=0, help="pixels a side; 0: the preset's")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--amp", default="auto")
    parser.add_argument("--repeats", type=int, default=10)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    keep_memory()
    with tempfile.TemporaryDirectory() as folder:
        print(benchmark(options.preset, options.amp, options.size, options.repeats, Path(folder)))


def benchmark(preset: str, amp: str, size: int, repeats: int, folder: Path) -> str:
    """Return the table for this preset."""
    words = ["--config", preset, "--data", "leaves:8,1", "--val", "leaves:1,2"]
    words += ["--run", str(folder / "run"), "--device", "cpu", "--data.workers", "0"]
    words += ["--amp", choose_amp(amp, torch.device("cpu"))]
    config = read_config([*words, *(["--augment.size", str(size)] if size else [])])
    sides = {name: prepare(config, World(), torch.device("cpu")) for name in ("ours", "plain")}
    batches, data = batches_of(sides["ours"], repeats + 1)
    spent: dict[str, list[dict[str, float]]] = {name: [] for name in sides}
    for number, batch in enumerate(batches):
        losses = []
        for name, job in sides.items():
            with plain_torch(job) if name == "plain" else nullcontext():
                seconds, loss = measured_step(job, batch)
            losses.append(loss)
            if number:  # the first one compiles
                spent[name].append(seconds)
        if abs(losses[0] - losses[1]) > CLOSE * abs(losses[1]):
            raise SystemExit(f"the two sides differ: losses {losses} in step {number + 1}")
    return table(spent, data, sides["ours"])


def batches_of(job: Job, count: int) -> tuple[list[Batch], float]:
    """Return `count` batches and the median seconds that making one took."""
    stream = iter(
        loader(job.stream, first=0, last=count, batch=job.config.batch, workers=0, rank=0, world=1)
    )
    batches, seconds = [], []
    for _ in range(count):
        start = time.process_time()
        batches.append(next(stream))
        seconds.append(time.process_time() - start)
    return batches, statistics.median(seconds)


def measured_step(job: Job, batch: Batch) -> tuple[dict[str, float], float]:
    """Take a step; return the processor seconds of its parts and the loss."""
    spent: dict[str, float] = {}
    start = time.process_time()
    with stopwatches(spent):
        terms = loop.step(job, job.network, batch)
    whole = time.process_time() - start
    return {**spent, "weights": whole - sum(spent.values()), "step": whole}, float(terms["loss"])


@contextmanager
def stopwatches(spent: dict[str, float]) -> Iterator[None]:
    """Let the parts of a step note their processor seconds in `spent`."""

    def watched(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            start = time.process_time()
            result = work(*given, **named)
            spent[name] = time.process_time() - start
            return result

        return call

    with (
        mock.patch.object(loop, "forward", watched("forward", loop.forward)),
        mock.patch.object(Objective, "forward", watched("losses", Objective.forward)),
        mock.patch.object(torch.Tensor, "backward", watched("backward", torch.Tensor.backward)),
    ):
        yield


@contextmanager
def plain_torch(job: Job) -> Iterator[None]:
    """Take away what the package adds to torch on a processor."""
    loss = job.objective.discriminative
    with (
        mock.patch.object(transposed_conv, "splits_bias", lambda *_: False),
        mock.patch.object(seed, "use_fused", lambda *_: False),
        mock.patch.dict(loss.options, {"backend": "torch"}),
    ):
        yield


def table(spent: dict[str, list[dict[str, float]]], data: float, job: Job) -> str:
    """Return a row for each part: milliseconds of both sides and their ratio."""
    config = job.config
    lines = [
        f"{config.network.backbone}, batch {config.batch} at {config.augment.size}, "
        f"mixed precision {config.amp}, {torch.get_num_threads()} threads, "
        f"{sum(p.numel() for p in job.network.parameters()):,} parameters",
        f"{'ms':<12}{'ours':>10}{'plain torch':>14}{'ratio':>8}",
    ]
    for part in (*PARTS, "step"):
        ours, plain = (
            1000 * statistics.median(s[part] for s in spent[n]) for n in ("ours", "plain")
        )
        lines.append(f"{part:<12}{ours:>10.1f}{plain:>14.1f}{plain / ours:>8.2f}")
    return "\n".join([*lines, f"{'a batch':<12}{1000 * data:>10.1f}"])


if __name__ == "__main__":
    main()
