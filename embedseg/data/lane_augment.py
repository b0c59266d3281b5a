"""Augmentation of a road picture: lanes and pixels move by one matrix, then light and weather.

The lanes are drawn anew after the move, so that strokes keep their width and lose nothing to
nearest-neighbour sampling. A mirrored road is a road: ids stay with their lanes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embedseg._cv2 import cv2
from embedseg.data.colour import jitter_colour
from embedseg.data.geometry import as_pair, random_matrix, warp
from embedseg.data.ground import smooth_noise
from embedseg.data.lane_sample import LaneSample
from embedseg.data.transforms import AugmentConfig, _ignore_slivers, _scale_range
from embedseg.labels import IGNORE
from embedseg.lanes.masks import draw_lanes
from embedseg.lanes.polylines import clipped, moved

Picture = NDArray[np.uint8]

ROAD_AUGMENT = AugmentConfig(
    scale=(0.9, 1.2),
    rotation=3.0,
    translation=0.04,
    flip_vertical=0.0,
    random_crop=False,
    brightness=0.35,
    contrast=0.3,
    saturation=0.4,
    hue=8.0,
    blur=1.0,
    noise=6.0,
)


@dataclass(frozen=True, kw_only=True)
class Weather:
    """How often a picture gets a shadow, rain streaks, or a motion blur; probabilities."""

    shadow: float = 0.3
    rain: float = 0.1
    motion: float = 0.1

    def __post_init__(self) -> None:
        for name in ("shadow", "rain", "motion"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a probability, 0 to 1, got {getattr(self, name)}")


def augment_lanes(
    sample: LaneSample,
    config: AugmentConfig,
    rng: np.random.Generator,
    weather: Weather | None = None,
) -> LaneSample:
    """Return a randomly changed copy of a road; the same generator state gives the same copy.

    `config` means what it means for `augment`; the lanes of the result are cut at its border.
    """
    size_in = (sample.labels.shape[0], sample.labels.shape[1])
    size = size_in if config.size is None else as_pair(config.size)
    matrix = random_matrix(
        size_in,
        size,
        rng,
        scale=_scale_range(config, size_in, size),
        rotation=config.rotation,
        translation=config.translation,
        flips=(config.flip_horizontal, config.flip_vertical),
        random_crop=config.random_crop,
    )
    seen = warp(
        sample, matrix, size, border=config.border, fill=config.fill, outside=config.outside
    )
    placed = moved(sample.lanes, matrix, size)
    labels = draw_lanes(placed, width=sample.width)
    labels[seen.labels == IGNORE] = IGNORE
    labels = _ignore_slivers(labels, config.min_pixels)
    image = jitter_colour(
        change_weather(seen.image, weather or Weather(), rng),
        rng,
        brightness=config.brightness,
        contrast=config.contrast,
        saturation=config.saturation,
        hue=config.hue,
        blur=config.blur,
        noise=config.noise,
    )
    return LaneSample(image, labels, None, sample.name, clipped(placed), sample.width)


def change_weather(image: Picture, weather: Weather, rng: np.random.Generator) -> Picture:
    """Return the picture with a shadow, rain and motion blur, each by its probability."""
    chance = rng.random(3)
    if chance[0] < weather.shadow:
        image = _shadow(image, rng)
    if chance[1] < weather.rain:
        image = _rain(image, rng)
    if chance[2] < weather.motion:
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
