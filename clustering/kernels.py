"""Compiled passes over pixels: reading them in blocks, assigning them to their nearest centres.

Every kernel starts with the layout (values, mask, pixel_step, axis_step) of `pixels.Pixels`. Pixels
are copied into a block of BLOCK pixels, axis by axis, that stays in the first-level cache; distances
are then taken to one centre at a time for the whole block.
"""

import numpy as np

from clustering.jit import helper, kernel

BLOCK = 256


@helper
def fill(values, mask, pixel_step, axis_step, dims, pixel, last, block):
    """Copy up to BLOCK True pixels from `pixel` on; return their number and the next pixel."""
    size = 0
    while pixel < last and size < BLOCK:
        stop = min(last, pixel + BLOCK - size)
        run = pixel
        if len(mask) == 0:
            run = stop
        else:
            while run < stop and mask[run]:
                run += 1
        count = run - pixel
        if pixel_step == 1:
            for axis in range(dims):
                at = pixel + axis * axis_step
                source = values[at : at + count]
                target = block[axis, size : size + count]
                for i in range(count):
                    target[i] = source[i]
        else:
            for index in range(count):
                at = (pixel + index) * pixel_step
                point = values[at : at + dims]
                for axis in range(dims):
                    block[axis, size + index] = point[axis]
        size += count
        pixel = run
        while len(mask) > 0 and pixel < last and not mask[pixel]:
            pixel += 1
    return size, pixel


@helper
def distances(block, first, size, centre, squared):
    """Set squared[first:size] to the squared distances of those pixels to the centre."""
    count = size - first
    out = squared[first:size]
    out[:] = 0
    dims = len(centre)
    axis = 0
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


@helper
def search(block, pixel, across, first_within, limit, gaps):
    """Return the nearest centre of a pixel, or the first one within `limit`, and the distance.

    `across` (E, C) are the centres axis by axis. A distance that is no number gives infinity.
    """
    gaps[:] = 0
    for axis in range(across.shape[0]):
        row = across[axis]
        value = block[axis, pixel]
        for centre in range(len(row)):
            gap = value - row[centre]
            gaps[centre] += gap * gap
    best = np.float32(np.inf)
    nearest = 0
    for centre in range(len(gaps)):
        if gaps[centre] < best:
            best = gaps[centre]
            nearest = centre
            if first_within and best <= limit:
                break
    return nearest, best


@kernel
def assign(
    values, mask, pixel_step, axis_step, starts, offsets, chunk, last_chunk,
    centres, across, sure, limit, first_within, labels, sums, counts, bad,
):  # fmt: skip
    """Label the pixels of some chunks with a centre and add up those within the limit of it.

    centres (C, E) and across (E, C) are the same; `limit` is the squared bandwidth. A pixel nearer
    to centre g than sqrt(sure[g]) has the label g for certain; the guess g is the label of the
    pixel before. labels (N,): g, or ~g where g is farther than the limit. sums (G, C, E) and
    counts (G, C) are of each chunk; bad (G,) counts pixels that are not finite.
    """
    dims = centres.shape[1]
    block = np.empty((dims, BLOCK), np.float32)
    squared = np.empty(BLOCK, np.float32)
    label = np.empty(BLOCK, np.int32)
    gaps = np.empty(len(centres), np.float32)
    for part in range(chunk, last_chunk):
        guess = 0
        pixel = starts[part]
        out = offsets[part]
        while pixel < starts[part + 1]:
            size, pixel = fill(
                values, mask, pixel_step, axis_step, dims, pixel, starts[part + 1], block
            )
            done = 0
            while done < size:
                distances(block, done, size, centres[guess], squared)
                reach = sure[guess]
                near = 0
                for i in range(done, size):
                    near += squared[i] <= reach
                if near == size - done:
                    label[done:size] = guess
                    done = size
                    break
                while done < size:
                    found = guess
                    if not squared[done] <= reach:
                        found, best = search(block, done, across, first_within, limit, gaps)
                        squared[done] = best
                        bad[part] += not best < np.inf
                    label[done] = found
                    done += 1
                    if found != guess:
                        guess = found
                        break
            add(block, size, label, squared, limit, sums[part], counts[part], labels[out:])
            out += size


@helper
def add(block, size, label, squared, limit, sums, counts, labels):
    """Write the labels of a block and add its pixels within the limit to their centres' sums."""
    i = 0
    while i < size:
        own = label[i]
        within = squared[i] <= limit
        end = i + 1
        while end < size and label[end] == own and (squared[end] <= limit) == within:
            end += 1
        labels[i:end] = own if within else ~own
        if within:
            counts[own] += end - i
            for axis in range(block.shape[0]):
                row = block[axis, i:end]
                total = np.float32(0)
                for k in range(len(row)):
                    total += row[k]
                sums[own, axis] += total
        i = end


@kernel
def take(values, mask, pixel_step, axis_step, starts, offsets, ranks, out):
    """Copy the True pixels of these ascending ranks (M,) into out (E, M)."""
    part = 0
    pixel = starts[0]
    seen = 0  # True pixels before `pixel`
    for index in range(len(ranks)):
        rank = ranks[index]
        if rank >= offsets[part + 1]:
            while rank >= offsets[part + 1]:
                part += 1
            pixel = starts[part]
            seen = offsets[part]
        if len(mask) == 0:
            pixel = rank
        else:
            while seen < rank or not mask[pixel]:
                seen += mask[pixel]
                pixel += 1
        for axis in range(out.shape[0]):
            out[axis, index] = values[pixel * pixel_step + axis * axis_step]
