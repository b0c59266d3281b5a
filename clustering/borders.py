"""Compiled test for pixels on a border between instances: their vector steps to a neighbour's.

At a border the embedding of a network goes from one instance's place to the next one's within a few
pixels; those in between lie in nobody's ball but, along a long border, in one that is dense. Inside
an instance neighbours differ by less than the instance is wide.
"""

from typing import Any

import numpy as np

from clustering.jit import helper, kernel, routine
from clustering.masks import F32, Flags


@kernel
def bar(founders: Any, passed: Flags) -> None:
    """Bar the points on a border, but for those `passed` (own,)."""
    barred, places, image = founders
    for index in range(len(places)):
        if not passed[index]:
            barred[index] = barred[index] or steep(image, places[index])


@routine
def steep(image: Any, place: int) -> bool:
    """Tell whether a pixel is farther than the limit from a True neighbour along an axis.

    image: the `layout` of its pixels, its shape (D,), and the limit, a squared distance. Without a
    shape no pixel has neighbours. A neighbour with NaN is beyond the limit.
    """
    layout, shape, limit = image
    mask = layout[1]
    stride = 1
    for axis in range(len(shape) - 1, -1, -1):
        at = place // stride % shape[axis]
        if at > 0 and mask[place - stride] and not step(layout, place, place - stride) < limit:
            return True
        if (
            at + 1 < shape[axis]
            and mask[place + stride]
            and not step(layout, place, place + stride) < limit
        ):
            return True
        stride *= shape[axis]
    return False


@helper
def step(layout: Any, a: int, b: int) -> F32:
    """Return the squared distance between two pixels of an image."""
    values, mask, _, pixel_step, axis_step, _, _ = layout
    total = np.float32(0)
    for axis in range(len(values) // len(mask)):
        gap = values[a * pixel_step + axis * axis_step] - values[b * pixel_step + axis * axis_step]
        total += gap * gap
    return total
