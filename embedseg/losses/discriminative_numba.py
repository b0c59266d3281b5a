"""Numba kernels of the discriminative loss on a CPU; `discriminative_fused` calls them.

Forward reads the embedding twice (means, then distances to them), backward reads it once and writes
its gradient; nothing else of the embedding's size exists. The kernels walk over runs of equal keys,
in which the mean is constant, so that the inner loops run over contiguous pixels.

Sums of at most `TILE` pixels are float32, all others float64. The work is cut into chunks, each
with its own table of sums, so that the result does not depend on the number of threads.

Common arguments: `pixels` = (x, key, taking_part[, means]): the embedding as one line of memory,
the key of every pixel (B, N), the keys of every image that take part (B, K), their means (B, K, E).
`layout` = the fields of `discriminative_fused.Layout`. `share` = (t, T): this thread takes every
T-th chunk from the t-th on.
"""

from typing import Any

import numpy as np

from embedseg.jit import fast_helper, fast_kernel

TILE = 512  # pixels of a run handled at once: 32 KB at 16 channels, within the first cache


@fast_kernel
def add_up(pixels: Any, layout: Any, share: Any, sums: Any, sizes: Any) -> None:
    """Sum x (chunk, K, E) and count the pixels (chunk, K) of every key that takes part."""
    x, key, taking_part = pixels
    total = np.empty(layout[1], np.float32)
    for task in range(share[0], _chunks(layout), share[1]):
        image, start, stop = _chunk(layout, task)
        while start < stop:
            end = _run_end(key[image], start, stop, layout)
            k = key[image, start]
            if k >= 0 and taking_part[image, k]:
                sizes[task, k] += end - start
                here = _origin(layout, image, start)
                if layout[5] == 1:
                    _sum_rows(x, here, layout[7], end - start, total, sums[task, k])
                else:
                    for e in range(layout[1]):
                        sums[task, k, e] += _sum(x, here + e * layout[5], layout[7], end - start)
            start = end


@fast_kernel
def spread(
    pixels: Any,
    layout: Any,
    share: Any,
    l1: bool,
    delta_v: Any,
    factor: Any,
    sums: Any,
    slopes: Any,
) -> None:
    """Sum the hinged squared distances to the mean (chunk, K) and their slopes (chunk, K, E).

    `factor` (B, N) keeps what multiplies the direction from the mean to the pixel in the gradient,
    `slopes` are the sums of these products. The direction is x - mean, for l1 its sign.
    """
    x, key, taking_part, means = pixels
    buffer = np.empty((layout[1], TILE), np.float32)
    row = np.empty(layout[1], np.float32)
    for task in range(share[0], _chunks(layout), share[1]):
        image, start, stop = _chunk(layout, task)
        while start < stop:
            end = _run_end(key[image], start, stop, layout)
            k = key[image, start]
            if k >= 0 and taking_part[image, k]:
                mean, slope = means[image, k], slopes[task, k]
                factors = factor[image, start:end]
                here = _origin(layout, image, start)
                if layout[5] == 1 and not l1:
                    _squared_rows(x, here, layout[7], mean, factors)
                    total = _hinge(factors, l1, delta_v)
                    if total != 0:
                        _dot_rows(x, here, layout[7], mean, factors, row, slope)
                else:
                    line = x, here, layout[5], layout[7]
                    total = _spread_planes(line, mean, factors, l1, delta_v, buffer, slope)
                sums[task, k] += total
            start = end


@fast_kernel
def write(  # noqa: PLR0913  (two images and their tables)
    pixels: Any,
    layout: Any,
    share: Any,
    l1: bool,
    factor: Any,
    scale: Any,
    offset: Any,
    out: Any,
    to: Any,
) -> None:
    """Write scale (B, K) * factor * direction + offset (B, K, E) to `out`, laid out as `to`.

    Pixels that take no part get 0.
    """
    x, key, taking_part, means = pixels
    for task in range(share[0], _chunks(layout), share[1]):
        image, start, stop = _chunk(layout, task)
        while start < stop:
            end = _run_end(key[image], start, stop, layout)
            k = key[image, start]
            here, there = _origin(layout, image, start), _origin(to, image, start)
            if k >= 0 and taking_part[image, k]:
                line = x, layout[7], out, to[7]
                factors = factor[image, start:end]
                if layout[5] == 1 and to[5] == 1 and not l1:
                    table = means[image, k], scale[image, k], offset[image, k]
                    _slope_rows(line, here, there, table, factors)
                else:
                    for e in range(layout[1]):
                        values = means[image, k, e], scale[image, k], offset[image, k, e]
                        _slope(line, here + e * layout[5], there + e * to[5], values, factors, l1)
            elif to[5] == 1 and to[7] == layout[1]:
                _fill(out, there, 1, (end - start) * layout[1])
            else:
                for e in range(layout[1]):
                    _fill(out, there + e * to[5], to[7], end - start)
            start = end


@fast_kernel
def measure(pixels: Any, layout: Any, share: Any, weight: Any, squared: Any, shares: Any) -> None:
    """Set squared (B, N) to the distances to the means, shares (B, N) to the weight (B, K).

    Pixels that take no part are left as they are.
    """
    x, key, taking_part, means = pixels
    buffer = np.empty(TILE, np.float32)
    for task in range(share[0], _chunks(layout), share[1]):
        image, start, stop = _chunk(layout, task)
        while start < stop:
            end = _run_end(key[image], start, stop, layout)
            k = key[image, start]
            if k >= 0 and taking_part[image, k]:
                mean, near, count = means[image, k], squared[image, start:end], end - start
                here = _origin(layout, image, start)
                if layout[5] == 1:
                    _squared_rows(x, here, layout[7], mean, near)
                else:
                    near[:] = 0
                    for e in range(layout[1]):
                        away = buffer[:count]
                        _subtract(x, here + e * layout[5], layout[7], mean[e], away, False, near)
                shares[image, start:end] = weight[image, k]
            start = end


@fast_kernel
def _chunks(layout: Any) -> Any:
    """Count the chunks of the batch."""
    return layout[0] * ((layout[2] + layout[8] - 1) // layout[8])


@fast_kernel
def _chunk(layout: Any, task: int) -> Any:
    """Return image, first pixel and end of a chunk."""
    pixels, size = layout[2], layout[8]
    per_image = (pixels + size - 1) // size
    start = task % per_image * size
    return task // per_image, start, min(start + size, pixels)


@fast_kernel
def _run_end(key: Any, start: int, stop: int, layout: Any) -> Any:
    """Find the end of the run of equal keys that begins at `start`, within its row and `TILE`."""
    columns = layout[3]
    stop = min(stop, start + TILE, start - start % columns + columns)
    value = key[start]
    end = start + 1
    while end < stop and key[end] == value:
        end += 1
    return end


@fast_kernel
def _origin(layout: Any, image: int, pixel: int) -> Any:
    """Return where the first channel of a pixel lies."""
    columns = layout[3]
    return image * layout[4] + pixel // columns * layout[6] + pixel % columns * layout[7]


@fast_helper
def _sum(x: Any, here: int, step: int, count: int) -> Any:
    """Sum `count` values of x."""
    total = np.float32(0)
    if step == 1:
        near = x[here : here + count]  # a slice starts at 0, which lets the loop be vectorised
        for i in range(count):
            total += near[i]
    else:
        for i in range(count):
            total += x[here + i * step]
    return total


@fast_kernel
def _sum_rows(x: Any, here: int, step: int, count: int, total: Any, sums: Any) -> None:
    """Add `count` rows of x, which lie `step` apart, to sums (E,); total (E,) is for its use."""
    total[:] = 0
    for i in range(count):
        row = x[here + i * step : here + i * step + len(sums)]
        for e in range(len(total)):
            total[e] += row[e]
    for e in range(len(sums)):
        sums[e] += total[e]


@fast_kernel
def _squared_rows(x: Any, here: int, step: int, mean: Any, squared: Any) -> None:
    """Set squared (n,) to the squared distances of rows of x, `step` apart, to mean (E,)."""
    for i in range(len(squared)):
        row = x[here + i * step : here + i * step + len(mean)]
        total = np.float32(0)
        for e in range(len(mean)):
            away = row[e] - mean[e]
            total += away * away
        squared[i] = total


@fast_kernel
def _dot_rows(
    x: Any, here: int, step: int, mean: Any, factors: Any, total: Any, slopes: Any
) -> None:
    """Add factors (n,) times the rows' differences to mean (E,) to slopes (E,).

    total (E,) is for its use.
    """
    total[:] = 0
    for i in range(len(factors)):
        if factors[i] != 0:
            row = x[here + i * step : here + i * step + len(mean)]
            for e in range(len(total)):
                total[e] += factors[i] * (row[e] - mean[e])
    for e in range(len(slopes)):
        slopes[e] += total[e]


@fast_kernel
def _slope_rows(line: Any, here: int, there: int, table: Any, factors: Any) -> None:
    """Write scale * factors * (row - mean) + offset for rows of x to rows of out."""
    x, step, out, out_step = line
    mean, scale, offset = table
    for i in range(len(factors)):
        row = x[here + i * step : here + i * step + len(mean)]
        goal = out[there + i * out_step : there + i * out_step + len(mean)]
        factor = scale * factors[i]
        for e in range(len(mean)):
            goal[e] = factor * (row[e] - mean[e]) + offset[e]


@fast_helper
def _subtract(x: Any, here: int, step: int, mean: Any, away: Any, l1: bool, length: Any) -> None:
    """Set away to x - mean (its sign for l1) and add its square (absolute value) to length."""
    count = len(away)
    if step == 1:
        near = x[here : here + count]
        for i in range(count):
            away[i] = near[i] - mean
    else:
        for i in range(count):
            away[i] = x[here + i * step] - mean
    if l1:
        for i in range(count):
            length[i] += abs(away[i])
            away[i] = np.sign(away[i])
    else:
        for i in range(count):
            length[i] += away[i] * away[i]


@fast_helper
def _spread_planes(
    line: Any, mean: Any, factors: Any, l1: bool, delta_v: Any, buffer: Any, slope: Any
) -> Any:
    """Do for a run of pixels what `spread` says, channel by channel; return its sum."""
    x, here, by_channel, by_pixel = line
    count = len(factors)
    factors[:] = 0
    for e in range(len(mean)):
        _subtract(x, here + e * by_channel, by_pixel, mean[e], buffer[e, :count], l1, factors)
    total = _hinge(factors, l1, delta_v)
    if total != 0:
        for e in range(len(mean)):
            slope[e] += _dot(factors, buffer[e, :count])
    return total


@fast_kernel
def _hinge(values: Any, l1: bool, delta_v: Any) -> Any:
    """Turn lengths d (squared for l2) into 2 h (/ d), h = [d - delta_v]+; return the sum of h^2."""
    total = np.float32(0)
    smallest = np.float32(1e-30)
    for i in range(len(values)):
        length = values[i] if l1 else np.sqrt(values[i])
        hinged = max(length - delta_v, np.float32(0))
        total += hinged * hinged
        values[i] = hinged + hinged if l1 else (hinged + hinged) / max(length, smallest)
    return total


@fast_helper
def _dot(a: Any, b: Any) -> Any:
    """Sum a * b."""
    total = np.float32(0)
    for i in range(len(a)):
        total += a[i] * b[i]
    return total


@fast_helper
def _slope(line: Any, here: int, there: int, values: Any, factors: Any, l1: bool) -> None:
    """Write scale * factors * direction + offset for a run of pixels."""
    x, step, out, out_step = line
    mean, scale, offset = values
    count = len(factors)
    if step == 1 and out_step == 1 and not l1:
        near, goal = x[here : here + count], out[there : there + count]
        for i in range(count):
            goal[i] = scale * factors[i] * (near[i] - mean) + offset
    else:
        for i in range(count):
            away = x[here + i * step] - mean
            direction = np.sign(away) if l1 else away
            out[there + i * out_step] = scale * factors[i] * direction + offset


@fast_helper
def _fill(out: Any, there: int, step: int, count: int) -> None:
    """Set a run of `out` to 0."""
    if step == 1:
        out[there : there + count] = 0
    else:
        for i in range(count):
            out[there + i * step] = 0
