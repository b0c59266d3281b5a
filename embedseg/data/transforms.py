"""Augmentation of a sample: one random draw (`augment`) of what `AugmentConfig` allows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from embedseg.augmentation import AugmentConfig, as_pair
from embedseg.data.colour import jitter_colour
from embedseg.data.elastic import bend
from embedseg.data.geometry import random_matrix, warp
from embedseg.data.sample import Sample
from embedseg.data.weather import change_weather
from embedseg.labels import IGNORE


def augment(sample: Sample, config: AugmentConfig, rng: np.random.Generator) -> Sample:
    """Return a randomly changed copy of `sample`; the same generator state gives the same copy."""
    moved, _ = move(sample, config, rng)
    if config.elastic:
        moved = bend(
            moved,
            rng,
            largest=config.elastic,
            border=config.border,
            fill=config.fill,
            outside=config.outside,
        )
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
