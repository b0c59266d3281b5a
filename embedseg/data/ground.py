"""What a generated plant stands on: soil with moss and stones, in a pot, in a tray on a bench."""

import numpy as np
from numpy.typing import NDArray

from embedseg._cv2 import cv2

Field = NDArray[np.float32]

TRAYS = (  # RGB of pots' trays: terracotta (the commonest), black, grey, pale, blue, brown
    (0.82, 0.40, 0.25),
    (0.12, 0.12, 0.13),
    (0.45, 0.46, 0.48),
    (0.75, 0.73, 0.70),
    (0.25, 0.33, 0.48),
    (0.45, 0.30, 0.20),
)
TRAY_CHANCE = (0.5, 0.15, 0.12, 0.08, 0.07, 0.08)
MOSS = np.array([[0.60, 0.62, 0.12], [0.34, 0.50, 0.09]])  # dry and yellow, wet and green
GRAIN = np.array([0.72, 0.60, 0.42])
CRUMB = np.array([0.20, 0.14, 0.10])


def smooth_noise(size: tuple[int, int], scale: float, rng: np.random.Generator) -> Field:
    """Return noise of mean 0 and standard deviation about 1 whose blobs are `scale` pixels wide."""
    small = tuple(int(np.ceil(n / scale)) + 1 for n in size)
    coarse = rng.standard_normal(small, dtype=np.float32)
    if scale <= 1:
        return coarse[: size[0], : size[1]]
    mode = cv2.INTER_LINEAR if scale < 3 else cv2.INTER_CUBIC
    large = (int(small[1] * scale), int(small[0] * scale))
    noise = cv2.resize(coarse, large, interpolation=mode)
    return np.asarray(noise[: size[0], : size[1]], np.float32)


def ground(
    size: tuple[int, int],
    centre: tuple[float, float],
    reach: float,
    rng: np.random.Generator,
) -> Field:
    """Draw the (H, W, 3) ground, RGB 0 to 1, for a plant at `centre` (x, y) of radius `reach`.

    In three of four pictures the soil is in a round or square pot that the plant about fills.
    """
    picture = soil(size, rng)
    if rng.random() < 0.25:
        return picture
    radius = max(reach * rng.uniform(0.85, 1.3), 0.33 * min(size))
    middle = np.array(centre) + rng.normal(0, 0.06, 2) * radius
    outside = _outside_pot(size, middle, radius, square=rng.random() < 0.2)
    rim = max(1.5, 0.03 * radius)  # its width in pixels
    picture *= (1 - 0.5 * np.exp(-np.maximum(0, -outside / (4 * rim))))[..., None]
    around = tray(size, rng)
    around *= (1 - 0.45 * np.exp(-np.maximum(0, outside / (3 * rim) - 1 / 3)))[..., None]
    plastic = rng.uniform(0.08, 0.4) * np.array([1.0, 0.97, 0.95])
    _over(picture, plastic, np.clip(outside + 0.5, 0, 1))
    glint = np.clip(1 - np.abs(outside - 0.5 * rim) / (0.3 * rim), 0, 1)
    picture += (rng.uniform(0, 0.25) * glint)[..., None]
    _over(picture, around, np.clip(outside - rim + 0.5, 0, 1))
    return picture


def _outside_pot(
    size: tuple[int, int], middle: NDArray[np.float64], radius: float, *, square: bool
) -> Field:
    """Return how many pixels outside a round pot, or a square one with round corners, each is."""
    x = np.abs(np.arange(size[1], dtype=np.float32) - np.float32(middle[0]))
    y = np.abs(np.arange(size[0], dtype=np.float32) - np.float32(middle[1]))[:, None]
    power = np.float32(8.0 if square else 2.0)
    distance: Field = (x**power + y**power) ** (1 / power) - np.float32(radius)
    return distance


def soil(size: tuple[int, int], rng: np.random.Generator) -> Field:
    """Draw peat: dark crumbs of several sizes, pale grains, patches of moss."""
    unit = max(1.0, min(size) / 256)
    weights = np.array([1.0, 0.8, 0.5, 0.5]) * rng.uniform(0.4, 1.0, 4)
    layers = [smooth_noise(size, scale * unit, rng) for scale in (1.0, 2.1, 6.0, 30.0)]
    rough = np.tensordot(weights, np.stack(layers), 1)
    dark = np.array([0.17, 0.13, 0.10]) * rng.uniform(0.5, 1.5)
    light = np.array([0.56, 0.45, 0.33]) * rng.uniform(0.6, 1.25)
    mix = np.clip(rng.normal(0.35, 0.12) + rng.uniform(0.2, 0.45) * rough, 0, 1.6)
    picture = (dark + mix[..., None] * (light - dark)).astype(np.float32)
    specks = smooth_noise(size, 2.0 * unit, rng)
    grains = np.clip(2.5 * (specks - rng.uniform(1.6, 2.6)), 0, 1)
    _over(picture, GRAIN, grains)
    if rng.random() < 0.7:
        patches = smooth_noise(size, 45.0 * unit, rng) + rng.uniform(-1.5, 1.5)
        tufts = smooth_noise(size, 1.3 * unit, rng)
        moss = np.clip(0.5 * patches, 0, 1) * np.clip(0.5 + 0.7 * tufts, 0, 1)
        shade = (MOSS[0] + rng.uniform() * (MOSS[1] - MOSS[0])) * rng.uniform(0.6, 1.1)
        shade = shade * rng.uniform(0.9, 1.1, 3)
        _over(picture, shade * (0.85 + rng.uniform(0.2, 0.45) * rough)[..., None], moss)
    return picture


def tray(size: tuple[int, int], rng: np.random.Generator) -> Field:
    """Draw the tray around a pot: plain plastic with ridges, stains and crumbs, maybe a bench."""
    height, width = size
    colour = np.array(TRAYS[rng.choice(len(TRAYS), p=TRAY_CHANCE)]) * rng.uniform(0.8, 1.1)
    colour = colour * rng.uniform(0.9, 1.1, 3)
    vertical = rng.random() < 0.5
    length = width if vertical else height
    profile = np.ones((length, 3), np.float32) * colour
    place = np.arange(length, dtype=np.float32)
    for _ in range(int(rng.integers(0, 6))):
        where = rng.uniform(0, length)
        ridge = np.exp(-(((place - where) / rng.uniform(0.004, 0.02) / length) ** 2))
        profile *= (1 + rng.uniform(-0.45, 0.3) * ridge)[:, None]
    step = rng.uniform(0.05, 0.95) * length
    profile *= np.where(place < step, rng.uniform(0.75, 1.1), 1.0)[:, None]
    if rng.random() < 0.3:  # beyond the tray's end, the bench
        end = rng.uniform(0.0, 0.2) * length
        profile[place < end] = rng.uniform(0.2, 0.6) * rng.uniform(0.9, 1.1, 3)
    if rng.random() < 0.5:
        profile = profile[::-1]
    picture = np.empty((height, width, 3), np.float32)
    picture[:] = profile if vertical else profile[:, None]
    stains = 0.05 * smooth_noise(size, 0.15 * min(size), rng) + 0.02 * smooth_noise(size, 2.0, rng)
    picture *= (1 + stains)[..., None]
    crumbs = np.clip(3 * (smooth_noise(size, 2.5 * max(1.0, min(size) / 256), rng) - 2.7), 0, 1)
    _over(picture, CRUMB, crumbs)
    return picture


def _over(picture: Field, colour: NDArray[np.floating], alpha: Field) -> None:
    """Lay `colour` over the picture where `alpha` is; writes into `picture`."""
    picture += alpha[..., None].astype(np.float32) * (colour.astype(np.float32) - picture)
