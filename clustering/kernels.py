"""Compiled passes over pixels: reading them in blocks, assigning them to centres.

A `layout` is (values, mask, words, pixel_step, axis_step, starts, offsets) of `pixels.Pixels`; the
words are the mask's bytes, eight at a time. Pixels are copied into a block (E, BLOCK) that stays in
the first-level cache; distances are then taken to one centre at a time for the whole block.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from clustering.jit import helper, kernel, routine
from clustering.masks import F32, I64, run_end, skip

# Of a type: for a plain 0 or 64 numba would compile all that is called with it once more.
FIRST: Any = np.int64(0)
BLOCK: Any = np.int64(64)  # pixels
SPAN = 16  # pixels to which distances are taken at once after a guess that was wrong
FEW = 8  # centres: the distances to all of them cost less than a wrong guess or two

I32 = NDArray[np.int32]


@kernel
def assign(layout: Any, part: int, last: int, rule: Any, results: Any) -> None:
    """Label the pixels of the chunks part..last-1 with a centre; add up those within limits.

    rule: centres (C, E), the same as (E, C), `sure` (C,), `limits` (C,), `first_within`. Limits
    are squared distances; a pixel nearer to centre g than sqrt(sure[g]) has label g for certain.
    With `first_within` the label is the first centre within its limit, not the nearest.
    results, written to: labels (N,), g or ~g where g is beyond its limit; apart (N,), squared
    distances to g, or (0,) to leave them; sums (G, C, E) and counts (G, C) of the pixels g of each
    chunk; bad (G,), its pixels that are not finite.
    """
    _, _, _, _, _, starts, offsets = layout
    centres, _, _, limits, _ = rule
    labels, apart, sums, counts, bad = results
    block = np.empty((centres.shape[1], BLOCK), np.float32)
    squared = np.empty(BLOCK, np.float32)
    label = np.empty(BLOCK, np.int32)
    gaps = np.empty(max(len(centres), BLOCK), np.float32)
    for chunk in range(part, last):
        guess = 0
        pixel = starts[chunk]
        out = offsets[chunk]
        while pixel < starts[chunk + 1]:
            size, pixel = fill(layout, pixel, starts[chunk + 1], block)
            guess, missed = decide(block, size, guess, rule, label, squared, gaps)
            bad[chunk] += missed
            add(block, size, label, squared, limits, sums[chunk], counts[chunk], labels[out:])
            if len(apart) > 0:
                for i in range(size):
                    apart[out + i] = squared[i]
            out += size


@helper
def fill(layout: Any, pixel: int, last: int, block: F32) -> tuple[int, int]:
    """Copy up to BLOCK True pixels from `pixel` on; return their number and the next pixel."""
    values, mask, words, pixel_step, axis_step, _, _ = layout
    size = 0
    while pixel < last and size < BLOCK:
        end = run_end(mask, words, pixel, min(last, pixel + BLOCK - size))
        if pixel_step == 1:
            copy_axes(values, pixel, end - pixel, axis_step, block, size)
        else:
            copy_points(values, pixel, end - pixel, pixel_step, block, size)
        size += end - pixel
        pixel = end
        if len(mask) > 0:
            pixel = skip(mask, words, np.uint64(0), pixel, last)
    return size, pixel


@helper
def copy_axes(values: F32, pixel: int, count: int, step: int, block: F32, size: int) -> None:
    """Copy `count` pixels that stand side by side on every axis to the block from `size` on."""
    for axis in range(len(block)):
        source = values[pixel + axis * step : pixel + axis * step + count]
        target = block[axis, size : size + count]
        for i in range(count):
            target[i] = source[i]


@helper
def copy_points(values: F32, pixel: int, count: int, step: int, block: F32, size: int) -> None:
    """Copy `count` pixels whose coordinates stand side by side to the block from `size` on."""
    for i in range(count):
        point = values[(pixel + i) * step : (pixel + i) * step + len(block)]
        for axis in range(len(block)):
            block[axis, size + i] = point[axis]


@helper
def decide(
    block: F32, size: int, guess: int, rule: Any, label: I32, squared: F32, gaps: F32
) -> tuple[int, int]:
    """Set label and squared distance of each pixel; return the last label and the bad pixels.

    The guess is the label of the pixel before. Distances to it are taken for the pixels left in the
    block, or for a few where labels change often; the first one of another label is a new guess. Of
    few centres all are tried for the whole block once a guess was wrong.
    """
    centres, across, sure, limits, first_within = rule
    done = FIRST
    bad = 0
    span = BLOCK
    while done < size:
        stop = min(done + span, size)
        distances(block, done, stop, centres[guess], squared)
        if all_within(squared, done, stop, sure[guess]):
            label[done:stop] = guess
            done = stop
            span = BLOCK
            continue
        if len(centres) <= FEW and not first_within:
            bad = all_distances(block, size, centres, label, squared, gaps)
            return label[size - 1], bad
        span = SPAN
        found = guess
        while done < stop and found == guess:
            if not squared[done] <= sure[guess]:
                found, best = search(block, done, across, first_within, limits, gaps)
                squared[done] = best
                bad += not best < np.inf
            label[done] = found
            done += 1
        guess = found
    return guess, bad


@helper
def all_within(squared: F32, first: int, size: int, reach: float) -> bool:
    """Tell whether squared[first:size] <= reach; NaN is not."""
    row = squared[first:size]
    count = 0
    for i in range(len(row)):
        count += row[i] <= reach
    return count == len(row)


@routine
def distances(block: F32, first: int, size: int, centre: F32, squared: F32) -> None:
    """Set squared[first:size] to the squared distances of those pixels to the centre."""
    count = size - first
    out = squared[first:size]
    dims = len(centre)
    axis = 0
    if dims >= 4:
        a = block[0, first:size]
        b = block[1, first:size]
        c = block[2, first:size]
        d = block[3, first:size]
        at_a, at_b, at_c, at_d = centre[0], centre[1], centre[2], centre[3]
        for i in range(count):
            p, q, r, s = a[i] - at_a, b[i] - at_b, c[i] - at_c, d[i] - at_d
            out[i] = (p * p + q * q) + (r * r + s * s)
        axis = 4
    else:
        out[:] = 0
    while axis + 4 <= dims:
        a = block[axis, first:size]
        b = block[axis + 1, first:size]
        c = block[axis + 2, first:size]
        d = block[axis + 3, first:size]
        at_a, at_b, at_c, at_d = centre[axis], centre[axis + 1], centre[axis + 2], centre[axis + 3]
        for i in range(count):
            p, q, r, s = a[i] - at_a, b[i] - at_b, c[i] - at_c, d[i] - at_d
            out[i] += (p * p + q * q) + (r * r + s * s)
        axis += 4
    while axis < dims:
        a = block[axis, first:size]
        for i in range(count):
            p = a[i] - centre[axis]
            out[i] += p * p
        axis += 1


@routine
def all_distances(block: F32, size: int, centres: F32, label: I32, squared: F32, gaps: F32) -> int:
    """Set label and squared distance of the pixels of a block; return how many of `size` are bad.

    All BLOCK of them are worked on, a number that the compiler knows.
    """
    for i in range(BLOCK):
        squared[i] = np.inf
        label[i] = 0
    for centre in range(len(centres)):
        distances(block, FIRST, BLOCK, centres[centre], gaps)
        for i in range(BLOCK):
            nearer = gaps[i] < squared[i]
            squared[i] = gaps[i] if nearer else squared[i]
            label[i] = np.int32(centre) if nearer else label[i]
    bad = 0
    for i in range(size):
        bad += not squared[i] < np.inf
    return bad


@helper
def search(
    block: F32, pixel: int, across: F32, first_within: bool, limits: F32, gaps: F32
) -> tuple[int, float]:
    """Return the nearest of the centres (E, C), or the first within its limit, and the distance.

    A distance that is no number gives infinity.
    """
    count = across.shape[1]
    gaps[:count] = 0
    for axis in range(across.shape[0]):
        row = across[axis]
        value = block[axis, pixel]
        for centre in range(count):
            gap = value - row[centre]
            gaps[centre] += gap * gap
    best = np.float32(np.inf)
    nearest = 0
    for centre in range(count):
        if first_within and gaps[centre] <= limits[centre]:
            return centre, gaps[centre]
        if gaps[centre] < best:
            best = gaps[centre]
            nearest = centre
    return nearest, best


@helper
def add(
    block: F32, size: int, label: I32, squared: F32, limits: F32, sums: Any, counts: I64,
    labels: I32,
) -> None:  # fmt: skip
    """Write the labels of a block and add its pixels within the limits to their centres' sums."""
    for i in range(size):
        own = label[i]
        labels[i] = own if squared[i] <= limits[own] else ~own
    i = 0
    while i < size:
        own = labels[i]
        end = i + 1
        while end < size and labels[end] == own:
            end += 1
        if own >= 0:
            counts[own] += end - i
            for axis in range(len(block)):
                row = block[axis, i:end]
                total = np.float32(0)
                for k in range(len(row)):
                    total += row[k]
                sums[own, axis] += total
        i = end


@kernel
def join(layout: Any, part: int, last: int, rule: Any, results: Any) -> None:
    """Move the pixels of the chunks part..last-1 that are nearer to new centres than to their own.

    rule: the new centres (A, E), the same as (E, A), `sure` (C,): a pixel nearer to its centre g
    than sqrt(sure[g]) stays, and `limit`, the squared distance within which sums are taken.
    results, of `assign` for the C old centres, brought up to date: labels and apart (N,), sums
    (G, C + A, E), counts (G, C + A).
    """
    values, mask, words, pixel_step, axis_step, starts, offsets = layout
    fresh, across, sure, limit = rule
    labels, apart, sums, counts = results
    gaps = np.empty(len(fresh), np.float32)
    block = np.empty((across.shape[0], 1), np.float32)
    never = np.full(len(fresh), np.float32(-1))
    known = len(sure)
    for chunk in range(part, last):
        pixel = starts[chunk]
        for out in range(offsets[chunk], offsets[chunk + 1]):
            if len(mask) > 0 and not mask[pixel]:
                pixel = skip(mask, words, np.uint64(0), pixel, starts[chunk + 1])
            own = max(labels[out], ~labels[out])
            if apart[out] > sure[own]:
                for axis in range(len(block)):
                    block[axis, 0] = values[pixel * pixel_step + axis * axis_step]
                nearest, gap = search(block, 0, across, False, never, gaps)
                if gap < apart[out]:
                    move(block, chunk, sums, counts, own, -1 * (labels[out] >= 0))
                    new = known + nearest
                    move(block, chunk, sums, counts, new, 1 * (gap <= limit))
                    labels[out] = new if gap <= limit else ~new
                    apart[out] = gap
            pixel += 1


@helper
def move(block: F32, chunk: int, sums: Any, counts: I64, centre: int, count: int) -> None:
    """Add the block's only pixel `count` times to the sums of a centre."""
    counts[chunk, centre] += count
    for axis in range(len(block)):
        sums[chunk, centre, axis] += count * block[axis, 0]


@kernel
def certain(centres: F32, owner: I32, reach: F32, first_within: bool, out: F32) -> None:
    """Set out (C,) to half the way from each centre (C, E) to the nearest of another owner (C,).

    With `first_within` it is the way to the nearest ball of the reach (C,) around an earlier one.
    """
    for centre in range(len(centres)):
        nearest = np.float32(np.inf)
        for other in range(centre if first_within else len(centres)):
            squared = np.float32(0)
            for axis in range(centres.shape[1]):
                squared += (centres[centre, axis] - centres[other, axis]) ** 2
            if first_within:
                nearest = min(nearest, np.sqrt(squared) - reach[other])
            elif owner[other] != owner[centre]:
                nearest = min(nearest, np.sqrt(squared) / 2)
        out[centre] = nearest
