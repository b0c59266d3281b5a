"""Moving a sample: one affine matrix for image, labels and classes.

Coordinates are (x, y) with pixel centres at integers; sizes are (height, width). A random matrix
takes the middle c of the input to the middle c' of the output, plus a shift t:

    x' = c' + t + s R(angle) F (x - c),      F = diag(+-1, +-1) the flips, s the magnification

The image is sampled linearly, after an area filter where it shrinks, so that it does not alias;
labels and classes take the value of the nearest pixel, which never makes a new value.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from embedseg._cv2 import cv2
from embedseg.augmentation import Border, Outside, Size, as_pair
from embedseg.data.sample import SEMANTIC_IGNORE, Sample
from embedseg.labels import BACKGROUND, IGNORE
from embedseg.resizing import resize_image, resize_nearest

SHRINK_LIMIT: float = 0.6  # magnification below which linear sampling would skip pixels visibly
INT16 = np.iinfo(np.int16)
BORDERS: dict[Border, str] = {"reflect": "BORDER_REFLECT_101", "constant": "BORDER_CONSTANT"}


def random_matrix(
    size_in: tuple[int, int],
    size_out: tuple[int, int],
    rng: np.random.Generator,
    *,
    scale: tuple[float, float],
    rotation: float,
    translation: float,
    flips: tuple[float, float],
    random_crop: bool,
) -> NDArray[np.float64]:
    """Draw the (2, 3) matrix from input (x, y, 1) to output (x, y); see `AugmentConfig`.

    Always eight numbers are drawn, so that an option does not change what others draw. Without
    turning and magnification the matrix moves whole pixels, so that nothing is blurred.
    """
    u = rng.random(8)
    s = float(np.exp(np.interp(u[0], (0, 1), np.log(scale))))
    angle = np.deg2rad(rotation) * (2 * u[1] - 1)
    mirror = np.where(u[2:4] < flips, -1.0, 1.0)
    linear = s * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = linear * mirror

    wh_in, wh_out = np.array(size_in[::-1], float), np.array(size_out[::-1], float)
    shift = (2 * u[4:6] - 1) * translation * wh_out
    if random_crop:
        shift += (u[6:8] - 0.5) * (wh_out - s * wh_in)
    offset = 0.5 * (wh_out - 1) + shift - linear @ (0.5 * (wh_in - 1))
    if rotation == 0 and scale == (1.0, 1.0):
        offset = np.round(offset)
    return np.column_stack([linear, offset])


def warp(
    sample: Sample,
    matrix: NDArray[np.float64],
    size: tuple[int, int],
    *,
    border: Border = "reflect",
    fill: tuple[int, int, int] = (0, 0, 0),
    outside: Outside = "ignore",
) -> Sample:
    """Move a sample by the (2, 3) `matrix` from input to output pixels, onto a canvas of `size`."""
    image = warp_image(sample.image, matrix, size, border=border, fill=fill)
    ignore = outside == "ignore"
    filling = (IGNORE, SEMANTIC_IGNORE) if ignore else (BACKGROUND, BACKGROUND)
    if sample.semantic is None:
        labels = warp_nearest(sample.labels, matrix, size, filling[:1])
        return Sample(image, labels, None, sample.name)
    both = np.dstack([sample.labels, sample.semantic])  # together: they agree to the pixel
    both = warp_nearest(both, matrix, size, filling)
    labels, classes = np.ascontiguousarray(both[..., 0]), both[..., 1].astype(np.uint8)
    return Sample(image, labels, classes, sample.name)


def warp_image(
    image: NDArray[np.uint8],
    matrix: NDArray[np.float64],
    size: tuple[int, int],
    *,
    border: Border,
    fill: tuple[int, int, int],
) -> NDArray[np.uint8]:
    """Sample an (H, W, 3) picture linearly; where it shrinks below 0.6, from its area average."""
    s = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    if s < SHRINK_LIMIT:
        height, width = image.shape[:2]
        small = (max(1, round(height * s)), max(1, round(width * s)))
        averaged = cv2.resize(image, small[::-1], interpolation=cv2.INTER_AREA)
        image = np.asarray(averaged, np.uint8)
        matrix = _before_resize(matrix, (height, width), small)
    moved = cv2.warpAffine(
        image,
        matrix,
        size[::-1],
        flags=cv2.INTER_LINEAR,
        borderMode=getattr(cv2, BORDERS[border]),
        borderValue=fill,
    )
    return np.asarray(moved, np.uint8)


def warp_nearest(
    values: NDArray[np.int32],
    matrix: NDArray[np.float64],
    size: tuple[int, int],
    outside: tuple[int, ...],
) -> NDArray[np.int32]:
    """Sample (H, W) or (H, W, channels) integers at the nearest pixel; every int32 value survives.

    `outside` has one value per channel. OpenCV warps no int32: int16 carries the values where they
    fit, else float64, which is exact.
    """
    fits = values.max() <= INT16.max and values.min() >= INT16.min
    moved = cv2.warpAffine(
        values.astype(np.int16 if fits else np.float64),
        matrix,
        size[::-1],
        flags=cv2.INTER_NEAREST,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=outside,
    )
    return np.asarray(moved, np.int32)


def resize(sample: Sample, size: Size) -> Sample:
    """Resize a sample to exactly `size`: area filter down, linear up, labels nearest."""
    height, width = as_pair(size)
    if min(height, width) < 1:
        raise ValueError(f"size must be >= 1 pixel, got {size}")
    image = resize_image(sample.image, (height, width))
    labels = resize_nearest(sample.labels, (height, width))
    semantic = sample.semantic
    if semantic is not None:
        semantic = resize_nearest(semantic, (height, width))
    return Sample(image, labels, semantic, sample.name)


def _before_resize(
    matrix: NDArray[np.float64], size: tuple[int, int], small: tuple[int, int]
) -> NDArray[np.float64]:
    """Return the matrix that acts on the image resized from `size` to `small` like `matrix` did.

    Resizing takes x to (x + 1/2) f - 1/2 along each axis, f = small / size.
    """
    back = np.array([size[1] / small[1], size[0] / small[0]])
    linear = matrix[:, :2] * back
    offset = matrix[:, 2] + matrix[:, :2] @ (0.5 * back - 0.5)
    return np.column_stack([linear, offset])
