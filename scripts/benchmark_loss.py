"""Time, memory and error of the discriminative loss, forward and backward, against common codes.

    python scripts/benchmark_loss.py [--case leaves|lanes|city|quick] [--threads N]
    python scripts/benchmark_loss.py --case gpu --device cuda
    python scripts/benchmark_loss.py --channels-last

The rivals are the formulations found in the wild, written here: a mask per instance expanded to the
embedding's channels, a loop over instances, and sums by `index_add`. All codes run in turn in one
process and times are medians; `ratio` is to the last of ours, `reads` to one sum over the
embedding. `MB` is the peak of a first call beyond what was in use before, with the gradient.
Errors are relative to the loop in float64. With `--channels-last` the channels of a pixel stand
side by side, as networks on a processor leave them.
"""

import argparse
from collections.abc import Callable
from typing import NamedTuple

import torch
from measuring import medians, peak_memory
from torch import Tensor

from embedseg.losses.discriminative import discriminative_loss

DELTA_V, DELTA_D, GAMMA = 0.5, 1.5, 0.001
Loss = Callable[[Tensor, Tensor], Tensor]


class Case(NamedTuple):
    """A batch: images, channels, height, width, instances per image."""

    batch: int
    channels: int
    height: int
    width: int
    instances: int


CASES = {
    "leaves": Case(2, 16, 512, 512, 20),
    "lanes": Case(4, 4, 256, 512, 5),
    "city": Case(1, 8, 1024, 2048, 60),
    "gpu": Case(8, 16, 512, 512, 20),
    "quick": Case(2, 4, 96, 128, 5),
}


class Row(NamedTuple):
    """One line of the table: seconds, bytes, relative errors of the value and of the gradient."""

    name: str
    seconds: float
    memory: int
    value_error: float
    gradient_error: float


def make_case(case: Case, device: str, last: bool = False) -> tuple[Tensor, Tensor]:
    """Ellipses over each other on background, and an embedding as in the middle of training."""
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(case.height)[:, None]
    x = torch.arange(case.width)[None]
    labels = torch.zeros(case.batch, case.height, case.width, dtype=torch.long)
    radius = (0.6 * case.height * case.width / case.instances / 3.14) ** 0.5
    for image in labels:
        for instance in range(1, case.instances + 1):
            cy, cx, a, b = torch.rand(4, generator=generator).tolist()
            ry, rx = radius * (0.6 + a), radius * (0.6 + b)
            inside = ((y - cy * case.height) / ry) ** 2 + ((x - cx * case.width) / rx) ** 2 < 1
            image[inside] = instance
    shape = (case.batch, case.channels, case.height, case.width)
    centres = torch.randn(case.instances + 1, case.channels, generator=generator)
    noise = torch.randn(shape, generator=generator) * 1.2 / case.channels**0.5
    embedding = noise + centres[labels].permute(0, 3, 1, 2)
    layout = torch.channels_last if last else torch.contiguous_format
    return embedding.contiguous(memory_format=layout).to(device), labels.to(device)


def push_and_reg(means: Tensor) -> Tensor:
    """Push of all pairs of means (C, E) and gamma times reg, by a matrix of distances."""
    count = len(means)
    apart = (means[:, None] - means[None]).square().sum(2)
    apart = torch.where(apart > 0, apart, 1).sqrt()
    cost = (2 * DELTA_D - apart).clamp(min=0).square() * (1 - torch.eye(count).to(means))
    reg = GAMMA * means.norm(dim=1).mean()
    return cost.sum() / max(count * (count - 1), 1) + reg


def expanded(embedding: Tensor, labels: Tensor) -> Tensor:
    """Expand a mask for every instance to all channels: (B, E, C, N) tensors."""
    x, count = embedding.flatten(2)[:, :, None], int(labels.max())
    ids = torch.arange(1, count + 1, device=labels.device)[None, :, None]
    mask = (labels.flatten(1)[:, None] == ids).to(x.dtype)[:, None]
    sizes = mask.sum(3)
    masked = x.expand(-1, -1, count, -1) * mask
    means = masked.sum(3) / sizes.clamp(min=1)
    apart = (masked - means[..., None] * mask).square().sum(1)
    apart = torch.where(apart > 0, apart, 1).sqrt() * mask[:, 0]
    spread = ((apart - DELTA_V).clamp(min=0).square().sum(2)) / sizes[:, 0].clamp(min=1)
    total = embedding.new_zeros(())
    for image in range(len(x)):
        there = sizes[image, 0] > 0
        total = total + spread[image, there].mean() + push_and_reg(means[image, :, there].T)
    return total / len(x)


def looped(embedding: Tensor, labels: Tensor) -> Tensor:
    """Loop over images and instances, each picked by a boolean mask."""
    total = embedding.new_zeros(())
    for image, label in zip(embedding, labels, strict=True):
        means, spreads = [], []
        for number in label.unique().tolist():
            if number > 0:
                pixels = image[:, label == number]
                mean = pixels.mean(1)
                apart = (pixels - mean[:, None]).norm(dim=0)
                spreads.append((apart - DELTA_V).clamp(min=0).square().mean())
                means.append(mean)
        total = total + torch.stack(spreads).mean() + push_and_reg(torch.stack(means))
    return total / len(embedding)


def index_added(embedding: Tensor, labels: Tensor) -> Tensor:
    """Sum by `index_add` over pixels in rows, one image after the other."""
    total = embedding.new_zeros(())
    for image, label in zip(embedding, labels, strict=True):
        pixels, number = image.flatten(1).T, label.flatten()
        _, number = number.unique(return_inverse=True)
        kept = number > 0
        pixels, number = pixels[kept], number[kept] - 1
        count = int(number.max()) + 1
        sizes = torch.bincount(number, minlength=count).to(pixels)
        zeros = pixels.new_zeros(count, pixels.shape[1])
        means = zeros.index_add(0, number, pixels) / sizes[:, None]
        apart = (pixels - means[number]).norm(dim=1)
        cost = (apart - DELTA_V).clamp(min=0).square()
        spread = pixels.new_zeros(count).index_add(0, number, cost) / sizes
        total = total + spread.mean() + push_and_reg(means)
    return total / len(embedding)


def ours(backend: str) -> Loss:
    """Return the product's loss with one backend."""

    def loss(embedding: Tensor, labels: Tensor) -> Tensor:
        return discriminative_loss(
            embedding,
            labels,
            delta_v=DELTA_V,
            delta_d=DELTA_D,
            gamma=GAMMA,
            backend=backend,  # type: ignore[arg-type]
        ).total

    return loss


def synchronize(device: torch.device) -> None:
    """Wait for the GPU, if it is one."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def step(loss: Loss, embedding: Tensor, labels: Tensor) -> Tensor:
    """Run forward and backward once; return the value and leave the gradient."""
    embedding.grad = None
    total = loss(embedding, labels)
    total.backward()
    synchronize(embedding.device)
    return total.detach()


def benchmark(case: Case, repeats: int, device: str, last: bool = False) -> tuple[list[Row], float]:
    """Measure all codes on one case: (rows, seconds of one read of the embedding)."""
    embedding, labels = make_case(case, device, last)
    exact = embedding.double().requires_grad_()
    value = step(looped, exact, labels)
    gradient = exact.grad
    embedding.requires_grad_()
    codes = {
        "expanded masks": expanded,
        "loop over instances": looped,
        "index_add": index_added,
        "ours, torch": ours("torch"),
        **({"ours, fused": ours("numba")} if device == "cpu" else {}),
    }
    errors, memory = {}, {}
    small, few = make_case(CASES["quick"], device, last)
    for name, loss in codes.items():
        step(loss, small.requires_grad_(), few)  # compiles
        memory[name] = peak_memory(lambda loss=loss: step(loss, embedding, labels), device)
        difference = (embedding.grad - gradient).norm() / gradient.norm()
        got = loss(embedding, labels).detach()
        errors[name] = ((got - value) / value).abs().item(), difference.item()
        embedding.grad = None
    works: dict[str, Callable[[], object]] = {
        name: lambda loss=loss: step(loss, embedding, labels)  # type: ignore[misc]
        for name, loss in codes.items()
    }
    seconds = medians({**works, "read": lambda: read(embedding)}, repeats)
    rows = [Row(name, seconds[name], memory[name], *errors[name]) for name in codes]
    return rows, seconds["read"]


def read(embedding: Tensor) -> None:
    """Read the embedding once."""
    embedding.detach().sum()
    synchronize(embedding.device)


def table(rows: list[Row], floor: float) -> str:
    """Lay the rows out; `ratio` is the time relative to the last row, ours."""
    best = rows[-1].seconds
    lines = [
        f"{'code':20} {'ms':>9} {'ratio':>7} {'reads':>7} {'MB':>8} {'value':>8} {'gradient':>8}"
    ]
    for row in rows:
        lines.append(
            f"{row.name:20} {row.seconds * 1e3:9.2f} {row.seconds / best:7.1f} "
            f"{row.seconds / floor:7.1f} {row.memory / 1e6:8.1f} {row.value_error:8.0e} "
            f"{row.gradient_error:8.0e}"
        )
    return "\n".join([*lines, f"{'one read':20} {floor * 1e3:9.2f}"])


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--case", choices=CASES, default="leaves")
    parser.add_argument("--quick", action="store_true", help="the smallest case, few repeats")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--channels-last", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    case = CASES["quick" if arguments.quick else arguments.case]
    last = arguments.channels_last
    layout = ", channels last" if last else ""
    print(f"{case}, float32{layout}, {arguments.device}, {arguments.threads} threads")
    repeats = 4 if arguments.quick else arguments.repeats
    rows, floor = benchmark(case, repeats, arguments.device, last)
    print(table(rows, floor))


if __name__ == "__main__":
    main()
