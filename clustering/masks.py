"""Compiled walks over masks: counting, taking and gathering the pixels that are True.

A mask is read in `words`, eight of its bytes at a time. A `layout` is that of `kernels`.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from clustering.jit import helper, kernel, routine

COUNT = 240  # pixels whose number one byte can hold
ONES = np.uint64(0x0101010101010101)  # eight True pixels

F32 = NDArray[np.float32]
I64 = NDArray[np.int64]
Flags = NDArray[np.bool_]


@kernel
def survey(mask: Any, starts: I64, offsets: I64) -> bool:
    """Set offsets (G + 1,) to the numbers of True pixels before each chunk of a mask of bytes (P,).

    Returns whether all bytes are 0 or 1, without which the offsets are wrong.
    """
    seen = np.uint8(0)
    for chunk in range(len(starts) - 1):
        total = 0
        for first in range(starts[chunk], starts[chunk + 1], COUNT):
            part = mask[first : min(first + COUNT, starts[chunk + 1])]
            count: Any = np.uint8(0)
            for i in range(len(part)):
                count = np.uint8(count + part[i])
                seen = np.uint8(seen | part[i])
            total += count
        offsets[chunk + 1] = offsets[chunk] + total
    return bool(seen <= 1)


@kernel
def gather(layout: Any, places: I64, out: F32) -> None:
    """Copy the N True pixels into out (E, N), their places into the first of places (N + 1,)."""
    values, mask, words, pixel_step, axis_step, _, _ = layout
    count: Any = 0
    for index in range(len(words)):
        word = words[index]
        if word == 0:
            continue
        for byte in range(8):  # without branches: each place stands until a True pixel keeps it
            places[count] = 8 * index + byte
            count += np.int64((word >> np.uint64(8 * byte)) & np.uint64(1))
    for pixel in range(8 * len(words), len(mask)):
        places[count] = pixel
        count += mask[pixel]
    for axis in range(len(out)):
        for index in range(count):
            out[axis, index] = values[places[index] * pixel_step + axis * axis_step]


@kernel
def take(layout: Any, ranks: I64, places: I64, out: F32) -> None:
    """Copy the True pixels of these ascending ranks (M,) into out (E, M), their places (M,) too."""
    values, mask, words, pixel_step, axis_step, starts, offsets = layout
    part = 0
    pixel = 0
    seen = 0  # True pixels before `pixel`
    for index in range(len(ranks)):
        rank = ranks[index]
        while rank >= offsets[part + 1]:
            part += 1
            pixel = starts[part]
            seen = offsets[part]
        if len(mask) == 0:
            pixel = rank
        else:
            pixel, seen = find(mask, words, pixel, seen, rank)
        places[index] = pixel
        for axis in range(len(out)):
            out[axis, index] = values[pixel * pixel_step + axis * axis_step]


@routine
def find(mask: Flags, words: Any, pixel: int, seen: int, rank: int) -> tuple[int, int]:
    """Return the True pixel of this rank and `rank`, from a pixel with `seen` True ones before."""
    while seen < rank or not mask[pixel]:
        if pixel % 8 == 0 and pixel + 8 <= len(mask):
            here: Any = np.int64((words[pixel // 8] * ONES) >> np.uint64(56))  # sum of eight bytes
            if seen + here <= rank:
                pixel += 8
                seen += here
                continue
        seen += mask[pixel]
        pixel += 1
    return pixel, seen


@helper
def run_end(mask: Flags, words: Any, pixel: int, last: int) -> int:
    """Return the first pixel from `pixel` to `last` that is not True, or `last`."""
    if len(mask) == 0:
        return last
    end: int = skip(mask, words, ONES, pixel, last)
    return end


@helper
def skip(mask: Flags, words: Any, word: Any, pixel: int, last: int) -> int:
    """Return the first pixel from `pixel` to `last` unlike the eight equal ones of `word`."""
    value = word != 0
    while pixel < last and mask[pixel] == value:
        pixel += 1
        if pixel % 8 == 0:
            while pixel + 8 <= last and words[pixel // 8] == word:
                pixel += 8
    return pixel
