"""Weather over a picture: shadows on the ground, rain streaks, the blur of driving."""

import numpy as np
from numpy.typing import NDArray

from embedseg._cv2 import cv2
from embedseg.data.ground import smooth_noise

Picture = NDArray[np.uint8]


def change_weather(
    image: Picture, rng: np.random.Generator, *, shadow: float, rain: float, motion: float
) -> Picture:
    """Return the picture with a shadow, rain streaks and motion blur, each by its probability."""
    chance = rng.random(3)
    if chance[0] < shadow:
        image = _shadow(image, rng)
    if chance[1] < rain:
        image = _rain(image, rng)
    if chance[2] < motion:
        image = _motion(image, rng)
    return image


def _shadow(image: Picture, rng: np.random.Generator) -> Picture:
    """Darken a random quadrangle, softly edged, or blotches as trees cast them."""
    height, width = image.shape[:2]
    if rng.random() < 0.5:
        corners = rng.uniform(-0.2, 1.2, (4, 2)) * (width, height)
        hull = cv2.convexHull(corners.astype(np.int32))
        mask = cv2.fillConvexPoly(np.zeros((height, width), np.float32), hull, 1.0)
    else:
        noise = smooth_noise((height, width), height / rng.uniform(4, 20), rng)
        mask = np.clip(3.0 * noise, 0, 1)
    mask = cv2.GaussianBlur(mask, (0, 0), rng.uniform(0.5, 4.0))
    dark = 1 - rng.uniform(0.25, 0.7) * mask[..., None]
    return np.asarray(image * dark, np.uint8)


def _rain(image: Picture, rng: np.random.Generator) -> Picture:
    """Add bright slanted streaks and take away some contrast."""
    height, width = image.shape[:2]
    drops = (rng.random((height, width), dtype=np.float32) > 0.994).astype(np.float32)
    length = int(rng.integers(5, 15))
    kernel = np.zeros((length, length), np.float32)
    lean = int(rng.integers(0, length))
    cv2.line(kernel, (lean, 0), (length // 2, length - 1), 1.0, 1)
    streaks = cv2.filter2D(drops, -1, kernel)[..., None]
    grey = image.mean()
    flat = image + rng.uniform(0.05, 0.3) * (grey - image)
    return np.asarray(np.clip(flat + rng.uniform(20, 70) * streaks, 0, 255), np.uint8)


def _motion(image: Picture, rng: np.random.Generator) -> Picture:
    """Blur along a direction near the vertical, as driving does."""
    length = int(rng.integers(3, 8))
    kernel = np.zeros((length, length), np.float32)
    end = int(rng.integers(0, length))
    cv2.line(kernel, (end, 0), (length - 1 - end, length - 1), 1.0, 1)
    return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()), np.uint8)
