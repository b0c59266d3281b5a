"""Images and maps at another size, by one rule for training and inference."""

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from embedseg._cv2 import cv2

Pixel = TypeVar("Pixel", np.uint8, np.float32)


def resize_image(image: NDArray[Pixel], size: tuple[int, ...]) -> NDArray[Pixel]:
    """Return an image (H, W) or (H, W, channels) at `size` (h, w), itself if it has it.

    By an area filter where its area shrinks, else linearly.
    """
    height, width = image.shape[:2]
    if (height, width) == size:
        return image
    shrinks = size[0] * size[1] < height * width
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (size[1], size[0]), interpolation=how), image.dtype)


def resize_nearest(values: NDArray[Any], size: tuple[int, ...]) -> NDArray[Any]:
    """Take for each pixel of the output the input pixel that its centre lies in; any dtype."""
    rows, columns = (
        ((np.arange(new) + 0.5) * (old / new)).astype(np.intp)
        for new, old in zip(size, values.shape, strict=True)
    )
    taken: NDArray[Any] = values[rows[:, None], columns]
    return taken
