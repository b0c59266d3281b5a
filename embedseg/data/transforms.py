"""Augmentation of a sample: what may change (`AugmentConfig`) and one random draw (`augment`)."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from embedseg.data.colour import jitter_colour
from embedseg.data.geometry import Border, Outside, Size, as_pair, random_matrix, resize, warp
from embedseg.data.sample import Sample
from embedseg.data.weather import change_weather
from embedseg.labels import IGNORE

__all__ = ["AugmentConfig", "augment", "resize"]


@dataclass(frozen=True, kw_only=True)
class AugmentConfig:
    """What `augment` draws, and from where; the defaults suit leaves seen from above.

    Geometry: `size` of the output, (height, width) or one number for a square, None for the size
    of the input; `fit`: a magnification of 1 makes the whole input just fit the output, else it
    keeps the pixels' size; `scale`: range of the magnification, drawn evenly in its logarithm;
    `rotation`: largest angle in degrees, either way; `translation`: largest shift, a fraction of
    the output's size, either way; `flip_horizontal`, `flip_vertical`: probabilities;
    `random_crop`: where the magnified picture is larger or smaller than the output, its place is
    drawn, else it is in the middle.
    Outside the input the image is mirrored (`border` "reflect") or filled with `fill` RGB
    ("constant"); labels there are `outside`, "ignore" or "background".
    `min_pixels`: instances that are cut to fewer pixels become IGNORE (0: none).

    Colour: `brightness`, `contrast`, `saturation`: largest relative change, either way; `hue`:
    largest turn of the colour circle in degrees; `blur`: largest sigma in pixels; `noise`: largest
    standard deviation of Gaussian noise in grey levels. 0 switches any of them off.

    Weather: `shadow`, `rain`, `motion`: probabilities of a shadow cast over the picture, of rain
    streaks, and of a blur along the direction of driving.
    """

    size: Size | None = None
    fit: bool = False
    scale: tuple[float, float] = (0.8, 1.25)
    rotation: float = 180.0
    translation: float = 0.0
    flip_horizontal: float = 0.5
    flip_vertical: float = 0.5
    random_crop: bool = True
    border: Border = "reflect"
    fill: tuple[int, int, int] = (0, 0, 0)
    outside: Outside = "ignore"
    min_pixels: int = 0
    brightness: float = 0.2
    contrast: float = 0.2
    saturation: float = 0.2
    hue: float = 10.0
    blur: float = 0.7
    noise: float = 4.0
    shadow: float = 0.0
    rain: float = 0.0
    motion: float = 0.0

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, (int, float)) and value < 0:
                raise ValueError(f"{item.name} must be >= 0, got {value}")
        for name in ("flip_horizontal", "flip_vertical", "shadow", "rain", "motion"):
            if getattr(self, name) > 1:
                raise ValueError(f"{name} is a probability, 0 to 1, got {getattr(self, name)}")
        if not 0 < self.scale[0] <= self.scale[1]:
            raise ValueError(f"scale must be (low, high) with 0 < low <= high, got {self.scale}")
        if self.size is not None and min(as_pair(self.size)) < 1:
            raise ValueError(f"size must be >= 1 pixel, got {self.size}; None keeps the input's")
        _one_of("border", self.border, get_args(Border))
        _one_of("outside", self.outside, get_args(Outside))


def augment(sample: Sample, config: AugmentConfig, rng: np.random.Generator) -> Sample:
    """Return a randomly changed copy of `sample`; the same generator state gives the same copy."""
    moved, _ = move(sample, config, rng)
    image = change_light(moved.image, config, rng)
    labels = ignore_slivers(moved.labels, config.min_pixels)
    return Sample(image, labels, moved.semantic, sample.name)


def move(
    sample: Sample, config: AugmentConfig, rng: np.random.Generator
) -> tuple[Sample, NDArray[np.float64]]:
    """Return `sample` placed anew at the output's size, and the (2, 3) matrix that moved it."""
    size_in = (sample.labels.shape[0], sample.labels.shape[1])
    size = size_in if config.size is None else as_pair(config.size)
    matrix = random_matrix(
        size_in,
        size,
        rng,
        scale=scale_range(config, size_in, size),
        rotation=config.rotation,
        translation=config.translation,
        flips=(config.flip_horizontal, config.flip_vertical),
        random_crop=config.random_crop,
    )
    moved = warp(
        sample, matrix, size, border=config.border, fill=config.fill, outside=config.outside
    )
    return moved, matrix


def change_light(
    image: NDArray[np.uint8], config: AugmentConfig, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Return the picture in another weather and light, after `config`."""
    if config.shadow or config.rain or config.motion:
        image = change_weather(
            image, rng, shadow=config.shadow, rain=config.rain, motion=config.motion
        )
    return jitter_colour(
        image,
        rng,
        brightness=config.brightness,
        contrast=config.contrast,
        saturation=config.saturation,
        hue=config.hue,
        blur=config.blur,
        noise=config.noise,
    )


def scale_range(
    config: AugmentConfig, size_in: tuple[int, int], size: tuple[int, int]
) -> tuple[float, float]:
    """Return the range of the magnification in output pixels per input pixel."""
    unit = min(size[0] / size_in[0], size[1] / size_in[1]) if config.fit else 1.0
    return config.scale[0] * unit, config.scale[1] * unit


def ignore_slivers(labels: NDArray[np.int32], min_pixels: int) -> NDArray[np.int32]:
    """Make instances of fewer than `min_pixels` IGNORE: they are there, but too little to see."""
    if min_pixels < 2:
        return labels
    ids, index, counts = np.unique(labels, return_inverse=True, return_counts=True)
    kept = np.where((ids > 0) & (counts < min_pixels), IGNORE, ids).astype(np.int32)
    return kept[index.reshape(labels.shape)]


def _one_of(argument: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{argument} must be one of {', '.join(choices)}, got {value!r}")
