"""A view of the foreground pixels of an embedding: their layout, their chunks, their threads.

The kernels read an embedding where it lies. `values` is its memory as one flat float32 array; the
coordinate e of pixel p stands at p * pixel_step + e * axis_step; a boolean mask tells which pixels
take part. So (E, *S) with a mask and (N, E) are the same to them. The pixels are cut into chunks on
a grid that depends on their number alone: a chunk's sums are added in order, so the result does not
depend on the number of threads.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from threading import Thread
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clustering import borders, kernels, masks
from clustering.assign import squared_distances

Array = NDArray[np.float32]


def _read_only(array: NDArray) -> NDArray:
    """Return a read-only view: memory-mapped and writable input then share compiled kernels."""
    view = array.view()
    view.flags.writeable = False
    return view


NO_SHAPE = np.empty(0, np.int64)  # of points that are no image
NO_MASK = _read_only(np.empty(0, np.bool_))  # all pixels
NO_WORDS = _read_only(np.empty(0, np.uint64))
CHUNK = 16384  # pixels of the smallest chunk
CHUNKS = 128  # most chunks
SPARSE = 8  # sparse is a mask with fewer than one True pixel in so many
WORK = 1 << 18  # coordinates below which a second thread costs more than it saves


class Nearest(NamedTuple):
    """Labels (N,): the centre g of a pixel, or ~g where that is beyond its reach.

    Sums (C, E) and counts (C,) are those of the pixels g; `bad` pixels are not finite; `apart` (N,)
    are the squared distances to g, or (0,) if they were not kept.
    """

    labels: NDArray[np.int32]
    sums: NDArray[np.float64]
    counts: NDArray[np.int64]
    bad: int
    apart: Array


class Candidates(NamedTuple):
    """Points (E, M) that may found a cluster, unless `barred` (M,) or on a border.

    The latter is found out where a climb would start, at the `places` (M,) in the `image` that
    `borders.steep` reads, and then noted in `barred`.
    """

    points: Array
    barred: NDArray[np.bool_]
    places: NDArray[np.int64]
    image: tuple[Any, ...]

    def founders(self) -> tuple[Any, ...]:
        """Return what the climb takes beside the points."""
        return self.barred, self.places, self.image

    def free(self) -> "Candidates":
        """Return those that are neither barred nor on a border."""
        borders.bar(self.founders(), self.barred)
        free = ~self.barred
        return Candidates(self.points[:, free], self.barred[free], self.places[free], self.image)


@dataclass(frozen=True)
class Pixels:
    """The True pixels of `mask` (P,), or all P pixels if mask is empty; E coordinates each.

    `words` are the bytes of the mask, eight at a time, without the last ones of an odd number.
    `shape` (D,) is that of the image, (0,) of points without one.
    `starts` (G + 1,) are the first pixels of the chunks, `offsets` (G + 1,) how many True pixels
    come before each. The `places` (N,) in the image `origin` are those of `gathered` pixels.
    """

    values: Array
    mask: NDArray[np.bool_]
    words: NDArray[np.uint64]
    dims: int
    pixel_step: int
    axis_step: int
    starts: NDArray[np.int64]
    offsets: NDArray[np.int64]
    shape: NDArray[np.int64]
    origin: "Pixels | None" = None
    places: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return int(self.offsets[-1])

    def take(self, ranks: NDArray[np.int64]) -> Array:
        """Return the coordinates (E, M) of the True pixels of these ascending ranks (M,)."""
        return self._take(ranks)[0]

    def candidates(self, ranks: NDArray[np.int64], step: float) -> "Candidates":
        """Return the pixels of these ascending ranks (M,) as starts of a climb.

        Those farther than `step` from a True neighbour in the image found no cluster; 0: all may.
        """
        points, places = self._take(ranks)
        image = self if self.origin is None else self.origin
        places = places if self.places is None else self.places[places]
        shape = image.shape if step > 0 else NO_SHAPE
        barred = np.zeros(len(ranks), np.bool_)
        return Candidates(points, barred, places, (image.layout(), shape, np.float32(step) ** 2))

    def _take(self, ranks: NDArray[np.int64]) -> tuple[Array, NDArray[np.int64]]:
        out = np.empty((self.dims, len(ranks)), np.float32)
        places = np.empty(len(ranks), np.int64)
        masks.take(self.layout(), ranks, places, out)
        return out, places

    def gathered(self) -> "Pixels":
        """Return a copy of these pixels side by side if they are few and sparse, else the view.

        Every pass over such pixels would spend most of its time on the mask.
        """
        count = len(self)
        if count == 0 or count * self.dims >= WORK or count * SPARSE > len(self.mask):
            return self
        values = np.empty((self.dims, count), np.float32)
        places = np.empty(count + 1, np.int64)
        masks.gather(self.layout(), places, values)
        starts = _chunk_starts(count)
        return Pixels(
            values=_read_only(values.reshape(-1)),
            mask=NO_MASK,
            words=NO_WORDS,
            dims=self.dims,
            pixel_step=1,
            axis_step=count,
            starts=starts,
            offsets=starts,
            shape=NO_SHAPE,
            origin=self,
            places=places[:count],
        )

    def to_centres(
        self,
        centres: Array,
        reach: Array,
        first_within: bool,
        n_threads: int | None,
        keep: bool = False,
        groups: NDArray[np.int32] | None = None,
    ) -> Nearest:
        """Assign every pixel to its nearest centre (C, E), or to the first within `reach` (C,).

        `keep` keeps the distances, which `join` needs. Of the centres of one of the `groups` (C,) a
        pixel may get any within its reach instead of the nearest.
        """
        chunks = len(self.starts) - 1
        labels = np.empty(len(self), np.int32)
        apart = np.empty(len(self) if keep else 0, np.float32)
        sums = np.zeros((chunks, *centres.shape))
        counts = np.zeros((chunks, len(centres)), np.int64)
        bad = np.zeros(chunks, np.int64)
        sure = _sure(centres, reach, first_within, groups)
        rule = (centres, np.ascontiguousarray(centres.T), sure, reach**2, first_within)
        results = (labels, apart, sums, counts, bad)

        def task(first: int, last: int) -> None:
            kernels.assign(self.layout(), first, last, rule, results)

        self.over_chunks(task, n_threads)
        return Nearest(labels, _total(sums), _total(counts), int(_total(bad)), apart)

    def join(
        self, found: Nearest, centres: Array, fresh: Array, distance: float, n_threads: int | None
    ) -> Nearest:
        """Return what `to_centres` would find for the centres (C, E) of `found` and `fresh` (A, E).

        Only pixels that a new centre may win are read: by the triangle inequality those farther
        from their own than half the way from there to a new one. `found` is used up.
        """
        chunks = len(self.starts) - 1
        total = len(centres) + len(fresh)
        sums = np.zeros((chunks, total, self.dims))
        counts = np.zeros((chunks, total), np.int64)
        way = squared_distances(centres, fresh).min(axis=1) / 4
        rule = (fresh, np.ascontiguousarray(fresh.T), _slack(way), np.float32(distance) ** 2)
        results = (found.labels, found.apart, sums, counts)

        def task(first: int, last: int) -> None:
            kernels.join(self.layout(), first, last, rule, results)

        self.over_chunks(task, n_threads)
        moved, by = _total(sums), _total(counts)
        moved[: len(centres)] += found.sums
        by[: len(centres)] += found.counts
        return Nearest(found.labels, moved, by, 0, found.apart)

    def layout(self) -> tuple[Any, ...]:
        """Return what every kernel takes first."""
        return (
            self.values, self.mask, self.words, self.pixel_step, self.axis_step, self.starts,
            self.offsets,
        )  # fmt: skip

    def over_chunks(self, task: Callable[[int, int], None], n_threads: int | None) -> None:
        """Run task(first, last) on ranges of chunks that together are all, in threads."""
        threads = n_threads or available_threads()
        if len(self) * self.dims < WORK:
            threads = 1
        if threads == 1:
            task(0, len(self.starts) - 1)
            return
        marks = np.linspace(0, len(self), threads + 1)[1:-1]
        cuts = [0, *np.searchsorted(self.offsets, marks).tolist(), len(self.starts) - 1]
        jobs = [Thread(target=task, args=(a, b)) for a, b in pairwise(cuts[1:]) if a < b]
        for job in jobs:
            job.start()
        task(cuts[0], cuts[1])
        for job in jobs:
            job.join()


def available_threads() -> int:
    """Return the number of cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def rows(points: Array) -> Pixels:
    """Return the view of points (N, E) float32, copied only if they lie in neither order."""
    by_axis = points.flags.f_contiguous
    if not by_axis:
        points = np.ascontiguousarray(points)
    count, dims = points.shape
    starts = _chunk_starts(count)
    return Pixels(
        values=_read_only((points.T if by_axis else points).reshape(-1)),
        mask=NO_MASK,
        words=NO_WORDS,
        dims=dims,
        pixel_step=1 if by_axis else dims,
        axis_step=count if by_axis else 1,
        starts=starts,
        offsets=starts,
        shape=NO_SHAPE,
    )


def of_image(embedding: Array, mask: NDArray[np.bool_]) -> Pixels:
    """Return the True pixels of mask (*S), C-contiguous, in embedding (E, *S), side by side if few.

    An embedding that lies pixel by pixel, as networks in `channels_last` leave it, is read so: a
    pass over it takes as long as one over planes, and to bring it into them takes longer.
    """
    by_pixel = np.moveaxis(embedding, 0, -1).flags.c_contiguous
    return image(embedding if by_pixel else np.ascontiguousarray(embedding), mask).gathered()


def image(embedding: Array, mask: NDArray[np.bool_]) -> Pixels:
    """Return the view of the True pixels of mask (*S) in embedding (E, *S), both C-contiguous.

    Or with the embedding pixel by pixel.
    """
    by_pixel = not embedding.flags.c_contiguous
    dims = len(embedding)
    flat = mask.reshape(-1)
    if flat.ctypes.data % 8:
        flat = flat.copy()
    starts = _chunk_starts(flat.size)
    offsets = np.zeros(len(starts), np.int64)
    if not masks.survey(flat.view(np.uint8), starts, offsets):
        return image(embedding, mask.view(np.uint8) != 0)
    return Pixels(
        values=_read_only((np.moveaxis(embedding, 0, -1) if by_pixel else embedding).reshape(-1)),
        mask=_read_only(flat),
        words=_read_only(flat[: flat.size // 8 * 8].view(np.uint64)),
        dims=dims,
        pixel_step=dims if by_pixel else 1,
        axis_step=1 if by_pixel else flat.size,
        starts=starts,
        offsets=offsets,
        shape=np.array(mask.shape, np.int64),
    )


def spread(count: int, size: int) -> NDArray[np.int64]:
    """Return min(count, size) ascending ranks < count, one at a fixed odd place of each stratum.

    A constant stride would hit the same columns of every row; these places follow the golden ratio.
    """
    size = min(count, size)
    return (_strata(size) * (count / max(size, 1))).astype(np.int64)


@lru_cache(maxsize=4)
def _strata(size: int) -> NDArray[np.float64]:
    """Return one place in each of the ranges [0, 1), [1, 2), ... [size - 1, size)."""
    steps = np.arange(size)
    return _read_only(steps + (steps * 0.6180339887498949) % 1.0)


def _chunk_starts(count: int) -> NDArray[np.int64]:
    step = max(CHUNK, -(-count // CHUNKS))
    return np.append(np.arange(0, count, step), count).astype(np.int64)


def _total(parts: NDArray[Any]) -> Any:
    """Return the sum over the chunks."""
    return parts[0] if len(parts) == 1 else parts.sum(axis=0)


def _sure(
    centres: Array, reach: Array, first_within: bool, groups: NDArray[np.int32] | None
) -> Array:
    """Return (C,) the squared distance below which a pixel belongs to a centre for certain.

    Nearest: half the way to the nearest other centre, or to the nearest of another group but within
    reach. First within reach: what no earlier centre's reach touches.
    """
    certain = np.empty(len(centres), np.float32)
    owner = np.arange(len(centres), dtype=np.int32) if groups is None else groups
    kernels.certain(centres, owner, reach, first_within, certain)
    if first_within or groups is not None:
        certain = np.clip(certain, 0, reach)
    return _slack(certain**2)


def _slack(squared: Array) -> Array:
    """Return squared distances a little smaller: rounding must not make certain what is not."""
    most = np.finfo(np.float32).max  # infinite distances are never sure, so they are seen
    certain: Array = np.minimum(squared * (1 - 2e-6), most).astype(np.float32)
    return certain
