"""Packing one image's embedding for the explorer: quantised, compressed, small enough for a page.

Each channel becomes one byte per pixel, q = round((x - offset) / scale) clipped to 0..255, where
offset and scale span the foreground's range; the planes are stored as differences to the left
neighbour, deflated, in base64. `explorer_decode.js` undoes it. The step of a range of 10 is 0.04,
so the distance of two pixels is off by about 0.02 * sqrt(E / 6).
"""

import base64
import zlib
from typing import NamedTuple

import numpy as np

from embedseg._cv2 import cv2
from embedseg.resizing import resize_nearest
from embedseg.viz.arrays import Array, Mask, Picture

MAX_VALUES = 4_600_000  # of the embedding in a page; 512 x 512 x 16 fits, more is thinned out
MAX_SIDE = 2048  # of the image in a page
_MAX_PNG = 900_000  # bytes; a larger image is stored as JPEG
_JPEG_QUALITY = 92
_TAIL = 0.05  # percent of foreground values beyond the range at either end, at most
_SPARE = 0.1  # of that range added at either end


class Packed(NamedTuple):
    """An embedding as bytes: x is close to scale * planes + offset."""

    planes: Picture  # (E, h, w) uint8
    scale: Array  # (E,)
    offset: Array  # (E,)
    mask: Mask  # (h, w) foreground
    step: int  # pixels of the embedding per cell, in both directions

    def unpack(self) -> Array:
        """Return the embedding (E, h, w) float32 that the page sees."""
        stretch = self.planes * self.scale[:, None, None] + self.offset[:, None, None]
        return stretch.astype(np.float32)


def pack(embedding: Array, foreground: Array, threshold: float = 0.5) -> Packed:
    """Thin out and quantise `embedding` (E, h, w); foreground is a probability of any size."""
    E, h, w = embedding.shape
    step = 1
    while E * -(-h // step) * -(-w // step) > MAX_VALUES:
        step += 1
    embedding = embedding[:, step // 2 :: step, step // 2 :: step]
    size = embedding.shape[1:]
    mask = resize(foreground, size) >= threshold
    values = embedding[:, mask] if mask.any() else embedding.reshape(E, -1)
    low, high = np.percentile(values.astype(np.float64), [_TAIL, 100 - _TAIL], axis=1)
    spare = _SPARE * (high - low)
    offset = low - spare
    scale = np.maximum(high - low + 2 * spare, 1e-6) / 255
    scaled = (embedding - offset[:, None, None]) / scale[:, None, None]
    planes = np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
    return Packed(planes, scale, offset, mask, step)


def shown_size(size: tuple[int, int]) -> tuple[int, int]:
    """Size (H, W) at which an image stands in the page: its longer side at most MAX_SIDE."""
    factor = min(1.0, MAX_SIDE / max(size))
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def resize(values: Array, size: tuple[int, ...]) -> Array:
    """Map (h, w) at another size: area filter where it shrinks, linear where it grows."""
    values = np.asarray(values, np.float32)
    if values.shape == size:
        return values
    how = cv2.INTER_AREA if size[0] < values.shape[0] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(values, (size[1], size[0]), interpolation=how))


def resize_labels(labels: Array, size: tuple[int, int]) -> Array:
    """Labels (H, W) at another size by nearest pixels, int32."""
    return resize_nearest(labels, size).astype(np.int32)


def image_uri(image: Picture, size: tuple[int, int]) -> str:
    """Image (H, W, 3) at `size` as a data URI: PNG, or JPEG where that would be large."""
    if image.shape[:2] != size:
        how = cv2.INTER_AREA
        image = cv2.resize(image, size[::-1], interpolation=how).astype(np.uint8)
    bgr = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2BGR)
    kind, code = "png", cv2.imencode(".png", bgr)[1]
    if code.size > _MAX_PNG:
        quality = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
        kind, code = "jpeg", cv2.imencode(".jpg", bgr, quality)[1]
    return f"data:image/{kind};base64,{base64.b64encode(code.tobytes()).decode()}"


def deflated(values: Array) -> str:
    """Bytes of an array, deflated (zlib), in base64."""
    return base64.b64encode(zlib.compress(np.ascontiguousarray(values).tobytes(), 6)).decode()


def differences(planes: Picture) -> Picture:
    """Each pixel minus its left neighbour, modulo 256, along the last axis."""
    result = planes.copy()
    result[..., 1:] -= planes[..., :-1]
    return result
