"""A picture mounted as training showed pictures: its own mirror image around it, up to a square.

A network that learned from squares of one side knows where their borders lie: from the padding that
follows them, from its maps of position. A picture of another shape has borders where it saw none.
One leaf network took the columns at the right border of photographs of 500 x 530 pixels for a leaf:
SBD 0.69 instead of 0.85 on 34 of them. So what is missing to the square is mirrored, as
augmentation does it, and what the network says of it is cut off again.
"""

import numpy as np
from numpy.typing import NDArray

from embedseg._cv2 import cv2

Picture = NDArray[np.uint8]
Window = tuple[slice, slice]


def mount(image: Picture, side: int, stride: int = 1) -> tuple[Picture, Window]:
    """Return `image` (H, W, 3) in the middle of a square of `side`, and where it is in the outputs.

    Those have a pixel for `stride` of the image's, and the window begins at one. An axis of `side`
    pixels or more stays as it is.
    """
    sizes = image.shape[:2]
    room = [max(0, side - size) for size in sizes]
    before = [spare // 2 // stride * stride for spare in room]
    rows, columns = (
        slice(start // stride, -(-(start + size) // stride))
        for start, size in zip(before, sizes, strict=True)
    )
    if not any(room):
        return image, (rows, columns)
    (top, left), (bottom, right) = before, (room[axis] - before[axis] for axis in (0, 1))
    around = cv2.copyMakeBorder(image, top, bottom, left, right, cv2.BORDER_REFLECT_101)
    return np.asarray(around, np.uint8), (rows, columns)
