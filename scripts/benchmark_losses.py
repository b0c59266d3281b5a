"""Time and memory of every loss of the semantic head against its plainest torch expression.

    python scripts/benchmark_losses.py [--classes 5] [--size 256] [--batch 4] [--names dice mcc ...]

Forward and backward in float32, both codes in turn in one process, medians of `--repeats` calls;
`--clock cpu` counts processor time, for a machine that has other work.
`ratio` is ours by the plain one (`plain_losses.py`, which knows no ignored pixels and no checks);
`MB` is the peak of a call beyond what was in use before, gradient included, and `times` that
number by the size of the logits. With `--classes 1` the losses of one logit are measured.
"""

import argparse
import time
from collections.abc import Callable, Mapping

import torch
from measuring import medians, peak_memory
from plain_losses import PLAIN
from torch import Tensor

from embedseg.losses import LOSSES
from embedseg.losses._module import keywords
from embedseg.losses.distance_maps import batch_maps

CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
BINARY = ("bce", "lovasz_hinge")  # of one logit alone


def make_case(batch: int, classes: int, size: int) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """Discs of all classes on background, noisy logits that mostly agree, and what losses read."""
    generator = torch.Generator().manual_seed(0)
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    target = torch.zeros(batch, size, size, dtype=torch.long)
    instances = torch.zeros_like(target)
    for image in range(batch):
        for number in range(1, 13):
            cy, cx, r = (torch.rand(3, generator=generator) * size).tolist()
            inside = (y - cy) ** 2 + (x - cx) ** 2 < (r / 8 + 2) ** 2
            target[image][inside] = 1 + number % max(classes - 1, 1)
            instances[image][inside] = number
    logits = torch.randn(batch, classes, size, size, generator=generator)
    if classes > 1:
        logits.scatter_add_(1, target[:, None], torch.full((batch, 1, size, size), 2.0))
    extra = {
        "instances": instances,
        "image": torch.rand(batch, 3, size, size, generator=generator),
        "distance": batch_maps(target, classes),
        "border_distance": batch_maps(target, classes, signed=False),
    }
    return logits, target, extra


def worker(
    loss: Callable[..., Tensor], logits: Tensor, target: Tensor, extra: Mapping[str, Tensor]
) -> Callable[[], float]:
    """Return a call that computes the loss and its gradient."""

    def work() -> float:
        z = logits.detach().requires_grad_()
        value = loss(z, target, extra)
        value.backward()
        return float(value.detach())

    return work


def ours(name: str) -> Callable[..., Tensor]:
    """Return the loss of that name with the signature of the plain ones."""
    function = LOSSES[name]
    wanted = list(keywords(function))
    return lambda z, y, extra: function(z, y, **{k: v for k, v in extra.items() if k in wanted})


def main() -> None:
    """Print one line per loss."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--classes", type=int, default=5)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    parser.add_argument("--names", nargs="*", default=sorted(LOSSES), choices=sorted(LOSSES))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    logits, target, extra = make_case(options.batch, options.classes, options.size)
    size = logits.numel() * logits.element_size()
    print(f"{'loss':26s}{'ms':>8s}{'plain':>8s}{'ratio':>7s}{'MB':>8s}{'times':>7s}{'value':>10s}")
    for name in options.names:
        if name in BINARY and options.classes != 1:
            continue
        mine = worker(ours(name), logits, target, extra)
        plain = worker(PLAIN[name], logits, target, extra)
        value, other = mine(), plain()
        seconds = medians({"ours": mine, "plain": plain}, options.repeats, CLOCKS[options.clock])
        memory = peak_memory(mine)
        ratio = seconds["ours"] / seconds["plain"]
        note = "" if abs(value - other) <= 1e-3 * max(1, abs(other)) else f"  plain {other:.5f}"
        print(
            f"{name:26s}{1e3 * seconds['ours']:8.1f}{1e3 * seconds['plain']:8.1f}{ratio:7.2f}"
            f"{memory / 2**20:8.1f}{memory / size:7.1f}{value:10.5f}{note}"
        )


if __name__ == "__main__":
    main()
