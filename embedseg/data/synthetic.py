"""Drawing a rosette plant on soil with exact labels, after no real picture.

A picture is drawn in the order of nature: the ground, then the leaves from the oldest (lowest) to
the youngest, each with its shadow on what lies below; then light, lens and sensor.
"""

import numpy as np
from numpy.typing import NDArray

from embedseg._cv2 import cv2
from embedseg.data.ground import ground, smooth_noise
from embedseg.data.leaf_paint import Cover, Light, cover, paint, shade_below
from embedseg.data.rosette import Leaf, rosette
from embedseg.data.sample import Sample

Field = NDArray[np.float32]

# What a photograph may lose, in pixels and in JPEG's percent: less in small pictures, whose leaves
# have few pixels to lose. The ends belong to the shorter sides in FINE.
FINE = (200, 350)
SIGMA = (0.75, 1.1)  # largest blur
COARSE = (2.0, 4.0)  # coarsest noise
QUALITY = (70, 25)  # lowest quality
SHADE_AGE = (0.0, 0.35, 0.75, 1.0)  # ages (0 oldest) of the shades between which leaves lie


def draw_plant(
    rng: np.random.Generator,
    size: int | tuple[int, int] = 256,
    *,
    leaves: tuple[int, int] = (6, 20),
    reach: tuple[int, int] = (22, 52),
    min_size: int = 20,
    name: str = "",
) -> Sample:
    """Draw one plant seen from above on a picture of `size`, (height, width) or a square's side.

    The number of leaves is drawn from the range `leaves`, the plant's radius from `reach`, in
    percent of the shorter side (plants of few leaves are smaller by up to a quarter); a leaf of
    which fewer than `min_size` pixels would be seen is not drawn. Labels 1..n are the visible
    parts, n the topmost leaf; a leaf has several parts only where others cover it.
    """
    height, width = (size, size) if isinstance(size, int) else size
    if min(height, width) < 16:
        raise ValueError(f"size must be >= 16 pixels, got {size}")
    if not 1 <= reach[0] <= reach[1]:
        raise ValueError(f"reach must be a range (low, high) in percent, got {reach}")
    if not 1 <= leaves[0] <= leaves[1]:
        raise ValueError(f"leaves must be a range (low, high) with 1 <= low <= high, got {leaves}")
    size = (height, width)
    count = int(rng.integers(leaves[0], leaves[1] + 1))
    radius = min(size) * rng.uniform(reach[0] / 100, reach[1] / 100)
    radius *= np.interp(count, (3, 14), (0.75, 1.0))
    centre = (
        (width - 1) / 2 + rng.normal(0, 0.05) * width,
        (height - 1) / 2 + rng.normal(0, 0.05) * height,
    )
    angle = rng.uniform(0, 2 * np.pi)
    light = Light(
        (float(np.cos(angle)), float(np.sin(angle))),
        shade=float(rng.uniform(0.2, 0.6)),
        soft=float(radius * rng.uniform(0.02, 0.08)),
    )
    margin = int(np.ceil(2.5 * light.soft)) + 1
    plant = [(leaf, cover(leaf, centre, size, margin)) for leaf in rosette(rng, radius, count)]
    seen = [(leaf, at) for leaf, at in plant if at is not None]
    labels, kept = _visible(seen, size, min_size)

    canvas = ground(size, centre, radius, rng)
    _paint_leaves(canvas, kept, light, radius, rng)
    return Sample(_photograph(canvas, rng), labels, None, name)


def _visible(
    plant: list[tuple[Leaf, Cover]], size: tuple[int, int], min_size: int
) -> tuple[NDArray[np.int32], list[tuple[Leaf, Cover]]]:
    """Return the labels of the leaves, and those leaves that show at least `min_size` pixels.

    Taking a leaf away only uncovers others, so that one round is enough for those that stay; the
    uncovered ones were counted too small, at worst.
    """
    labels = _label(plant, size)
    pixels = np.bincount(labels.ravel(), minlength=len(plant) + 1)[1:]
    kept = [pair for pair, n in zip(plant, pixels, strict=True) if n >= min_size]
    return _label(kept, size), kept


def _label(plant: list[tuple[Leaf, Cover]], size: tuple[int, int]) -> NDArray[np.int32]:
    labels = np.zeros(size, np.int32)
    for number, (_, at) in enumerate(plant, 1):
        labels[at.box][at.alpha >= 0.5] = number
    return labels


def _paint_leaves(
    canvas: Field,
    plant: list[tuple[Leaf, Cover]],
    light: Light,
    reach: float,
    rng: np.random.Generator,
) -> None:
    """Paint the leaves, oldest first: old ones darker and bluer, the youngest greyish."""
    base = np.array([0.44, 0.68, 0.16]) * rng.uniform(0.75, 1.08)
    base = base * rng.uniform((0.8, 0.94, 0.5), (1.15, 1.06, 1.6))
    old = base * np.array([0.72, 0.78, 1.15])
    young = 0.85 * base + 0.1
    blob = max(2.0, 0.05 * reach)
    size = (canvas.shape[0], canvas.shape[1])
    grain = smooth_noise(size, blob, rng) + smooth_noise(size, 2.3 * blob, rng)
    grain *= np.float32(rng.uniform(0.05, 0.2))
    shades = np.stack([old, base, base, young])
    for leaf, at in plant:
        colour = np.array([np.interp(leaf.age, SHADE_AGE, shade) for shade in shades.T])
        colour = colour * rng.normal(1, 0.05) * rng.normal(1, 0.025, 3)
        shade_below(canvas, at, light)
        paint(canvas, leaf, at, colour, light, grain, rng)


def _photograph(canvas: Field, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Light the scene unevenly, blur it by the lens, add the sensor's noise, and compress."""
    height, width = canvas.shape[:2]
    x = np.linspace(-1, 1, width, dtype=np.float32)
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    a, b, c = rng.uniform(-0.12, 0.12, 3)
    lit = rng.uniform(0.85, 1.18) * (1 + a * x + b * y - abs(c) * (x * x + y * y))
    tint = rng.uniform(0.94, 1.06, 3)
    picture = canvas * (lit[..., None] * tint).astype(np.float32)
    side = min(height, width)
    softest, coarsest, worst = (np.interp(side, FINE, ends) for ends in (SIGMA, COARSE, QUALITY))
    sigma = rng.uniform(0.35, softest) * max(1.0, side / FINE[1])
    picture = cv2.GaussianBlur(picture, (0, 0), sigma)
    coarse = rng.uniform(1.5, coarsest)
    cells = (int(height / coarse) + 1, int(width / coarse) + 1, 3)
    blotches = rng.standard_normal(cells, dtype=np.float32)
    noise = cv2.resize(blotches, (width, height), interpolation=cv2.INTER_LINEAR)
    picture = 255 * picture + rng.uniform(1, 9) * noise
    quantised = cv2.convertScaleAbs(np.clip(picture, 0, 255))
    return np.asarray(_jpeg(quantised, int(rng.integers(round(worst), 96))), np.uint8)


def _jpeg(picture: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """Write a picture as JPEG and read it again: most cameras do."""
    written = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(written, cv2.IMREAD_COLOR), np.uint8)
