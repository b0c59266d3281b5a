"""The discriminative loss's pass over the pixels on a CPU, fused: an autograd function on kernels.

`find` counts and sums the pixels of every key, `MeansAndSpread` gives what the loss needs of the
instances, with an analytic gradient. See `discriminative_numba` for the passes.
"""

import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from embedseg.jit import announce
from embedseg.losses import discriminative_numba as kernels
from embedseg.losses.instance_sums import (
    Instances,
    Keys,
    count_pixels,
    find_instances,
    pixel_slots,
)

_CHUNK = 1 << 14  # pixels that one thread takes at a time
_MAX_CHUNKS = 64  # per image; each has its own table of sums
_CHUNK_PER_KEY = 8  # pixels per key in a chunk: bounds these tables by a quarter of the embedding
_MAX_THREADS = 16  # more do not read memory faster
_MAX_TABLE = 1024  # keys; more are first replaced by the ranks of those that occur

Array = NDArray[Any]


class Layout(NamedTuple):
    """How the embedding lies in memory: sizes, then strides in elements, then pixels per chunk."""

    batch: int
    channels: int
    pixels: int
    columns: int
    image_stride: int
    channel_stride: int
    row_stride: int
    pixel_stride: int
    chunk: int

    @property
    def per_image(self) -> int:
        """Chunks of an image."""
        return -(-self.pixels // self.chunk)

    @property
    def chunks(self) -> int:
        """Chunks of the batch."""
        return self.batch * self.per_image


class Found(NamedTuple):
    """Keys (B, N), and for every image and key its pixels (B, K) and the sums of x (B, K, E)."""

    key: Array
    size: Array
    sums: Array


def find(embedding: Tensor, key: Tensor, table: int, low: int) -> Found:
    """Count and sum the pixels of every key (B, N) < `table`; those below `low` take no part."""
    line, layout = _as_line(embedding, table)
    keys = key.contiguous().to(torch.int32, copy=True).numpy()  # backward reads them again
    taking_part = np.ones((layout.batch, table), np.bool_)
    taking_part[:, :low] = False
    size = np.zeros((layout.chunks, table), np.int64)
    sums = np.zeros((layout.chunks, table, layout.channels))
    _run(kernels.add_up, layout, (line, keys, taking_part), sums, size)
    return Found(keys, _per_image(size, layout), _per_image(sums, layout))


def instances_of(
    embedding: Tensor, keys: Keys, min_size: int
) -> tuple[Found, Instances, tuple[Array, Array]]:
    """Find the instances of at least `min_size` pixels.

    Returns what `find` returns, the instances, and their places (image, key) in its tables.
    """
    if keys.table <= _MAX_TABLE:
        found = find(embedding, keys.key, keys.table, keys.low)
        instances = find_instances(keys, torch.from_numpy(found.size), min_size)
        return found, instances, (instances.image.numpy(), instances.key.numpy())
    instances = find_instances(keys, count_pixels(keys), min_size)
    slot = pixel_slots(keys, instances)
    slot = torch.where(slot < instances.width, slot, -1)
    found = find(embedding, slot, instances.width, 0)
    return found, instances, (instances.image.numpy(), instances.rank.numpy())


def distances(
    embedding: Tensor, found: Found, places: tuple[Array, Array], weight: Tensor
) -> tuple[Tensor, Tensor]:
    """Return each pixel's squared distance (B, N) to its instance's mean, and its weight (B, N).

    `weight` (C,) is that of the pixels of each instance; the pixels of none have 0 and 0.
    """
    line, layout = _as_line(embedding, found.size.shape[1])
    pixels = line, *_means_at(found, places)
    table = np.zeros(found.size.shape, np.float32)
    table[places] = weight.numpy()
    squared, shares = np.zeros((2, *found.key.shape), np.float32)
    _run(kernels.measure, layout, pixels, table, squared, shares)
    return torch.from_numpy(squared), torch.from_numpy(shares)


def _means_at(found: Found, places: tuple[Array, Array]) -> tuple[Array, Array, Array]:
    """Return the keys (B, N), which of them lie at `places` (B, K), and their means (B, K, E)."""
    taking_part = np.zeros(found.size.shape, np.bool_)
    taking_part[places] = True
    means: Array = np.zeros(found.sums.shape, np.float32)
    means[places] = found.sums[places] / found.size[places][:, None]
    return found.key, taking_part, means


class MeansAndSpread(torch.autograd.Function):
    """Means (C, E) of instances and the mean hinged squared distances of their pixels (C,)."""

    @staticmethod
    def forward(
        ctx: Any,
        embedding: Tensor,
        found: Found,
        places: tuple[Array, Array],
        delta_v: float,
        l1: bool,
        reference: Callable[[Tensor], tuple[Tensor, Tensor]],
    ) -> tuple[Tensor, Tensor]:
        """Measure the instances that lie at `places` (image, key) of the tables of `found`.

        `reference` computes the same from the embedding by torch, for a second derivative.
        """
        line, layout = _as_line(embedding, found.size.shape[1])
        kept = _means_at(found, places)
        means, size = kept[2], found.size[places]
        factor = np.empty(found.key.shape, np.float32)
        sums = np.zeros((layout.chunks, means.shape[1]))
        slopes = np.zeros((layout.chunks, *means.shape[1:]))
        _run(kernels.spread, layout, (line, *kept), l1, np.float32(delta_v), factor, sums, slopes)
        ctx.save_for_backward(embedding)
        ctx.kept = kept, places, factor, _per_image(slopes, layout)[places], size, l1
        ctx.reference = reference
        spread = _per_image(sums, layout)[places] / size
        return torch.from_numpy(means[places]), torch.from_numpy(spread).float()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """Return the analytic gradient, or torch's own if it is to be differentiated again."""
        (embedding,) = ctx.saved_tensors
        if torch.is_grad_enabled():
            outputs = ctx.reference(embedding)
            gradient = torch.autograd.grad(outputs, embedding, grads, create_graph=True)[0]
        else:
            gradient = _gradient(embedding, (grads[0], grads[1]), *ctx.kept)
        return gradient, None, None, None, None, None


def _gradient(
    embedding: Tensor,
    grads: tuple[Tensor, Tensor],
    pixels: tuple[Array, Array, Array],
    places: tuple[Array, Array],
    factor: Array,
    slopes: Array,
    size: Array,
    l1: bool,
) -> Tensor:
    """Gradient of both outputs with respect to the embedding.

    A pixel moves its own distance, factor * direction / N_c, and its instance's mean by 1 / N_c,
    which moves the distances of all the instance's pixels by -slopes.
    """
    means = pixels[2]
    grad_means, grad_spread = (grad.double().numpy() for grad in grads)
    for_spread = grad_spread / size
    scale = np.zeros(means.shape[:2], np.float32)
    scale[places] = for_spread
    offset = np.zeros(means.shape, np.float32)
    for_means = grad_means - slopes * for_spread[:, None]
    offset[places] = for_means / size[:, None]
    line, layout = _as_line(embedding, means.shape[1])
    gradient = _buffers.lend(embedding)
    out, to = _as_line(gradient, 0)
    _run(kernels.write, layout, (line, *pixels), l1, factor, scale, offset, out, tuple(to))
    return gradient


def _as_line(x: Tensor, table: int) -> tuple[Array, Layout]:
    """Return `x` (B, E, *S) as one line of memory and how to find one's way in it.

    A tensor whose pixels form rows of one stride needs no copy: contiguous, channels last, or
    cropped in two dimensions. `table` is the number of keys.
    """
    rows = _merge(x.shape[2:], x.stride()[2:])
    if len(rows) > 2:
        x = x.contiguous()
        rows = _merge(x.shape[2:], x.stride()[2:])
    (columns, by_pixel), (_, by_row) = rows[-1], rows[0]
    pixels = x[0, 0].numel()
    chunk = max(_CHUNK, -(-pixels // _MAX_CHUNKS), _CHUNK_PER_KEY * table)
    span = 1 + sum((n - 1) * step for n, step in zip(x.shape, x.stride(), strict=True))
    strides = x.stride(0), x.stride(1), by_row, by_pixel
    line: Array = x.detach().as_strided((span,), (1,)).numpy()
    return line, Layout(x.shape[0], x.shape[1], pixels, columns, *strides, chunk)


def _merge(shape: Sequence[int], strides: Sequence[int]) -> list[tuple[int, int]]:
    """Join neighbouring dimensions that one stride walks through: [(size, stride)], never empty."""
    merged: list[tuple[int, int]] = []
    for size, stride in zip(shape, strides, strict=True):
        if merged and merged[-1][1] == size * stride:
            merged[-1] = merged[-1][0] * size, stride
        elif size != 1:
            merged.append((size, stride))
    return merged or [(1, 1)]


def _per_image(values: Array, layout: Layout) -> Array:
    """Add the chunks of every image up, in their order."""
    sums: Array = values.reshape(layout.batch, layout.per_image, *values.shape[1:]).sum(1)
    return sums


def _run(kernel: Any, layout: Layout, pixels: tuple[Array, ...], *others: Any) -> None:
    """Call `kernel(pixels, layout, share, *others)` in as many threads as torch uses."""
    announce(kernel)
    threads = max(1, min(torch.get_num_threads(), layout.chunks, _MAX_THREADS))

    def part(thread: int) -> None:
        kernel(pixels, tuple(layout), (thread, threads), *others)

    pool = _pool(os.getpid(), threads - 1) if threads > 1 else None
    waiting = [pool.submit(part, thread) for thread in range(1, threads)] if pool else []
    part(0)
    for other in waiting:
        other.result()


@lru_cache(maxsize=1)
def _pool(_process: int, threads: int) -> ThreadPoolExecutor:
    """Worker threads of this process (a forked child needs its own); the kernels drop the GIL."""
    return ThreadPoolExecutor(threads, thread_name_prefix="embedseg-loss")


class _Buffers:
    """The last gradient's memory, lent again once nobody uses it: fresh pages cost as much as work.

    A numpy array owns the memory and every tensor on it holds a reference to the array, so the
    reference count tells whether the memory is free.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept = [np.empty(0, np.float32)]
        self._unused = sys.getrefcount(self._kept[0])

    def lend(self, like: Tensor) -> Tensor:
        """Return an uninitialised tensor shaped like `like`, channels first or last as it is."""
        with self._lock:
            if self._kept[0].size != like.numel() or sys.getrefcount(self._kept[0]) > self._unused:
                self._kept = [np.empty(like.numel(), np.float32)]
            memory = self._kept[0]
            if like.stride(1) != 1:
                return torch.from_numpy(memory.reshape(like.shape))
            last = memory.reshape(like.shape[0], *like.shape[2:], like.shape[1])
            return torch.from_numpy(np.moveaxis(last, -1, 1))


_buffers = _Buffers()
