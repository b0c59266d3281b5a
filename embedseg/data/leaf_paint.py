"""Painting one generated leaf: which pixels it covers, its colours and its shadow."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embedseg._cv2 import cv2
from embedseg.data.rosette import STEPS, Leaf

Field = NDArray[np.float32]

VEIN = np.array([0.74, 0.82, 0.52])  # RGB of midribs and petioles


@dataclass(frozen=True, eq=False)
class Cover:
    """The part of the canvas that a leaf may touch, and its coordinates there.

    `box` is (rows, columns) of the canvas; `alpha` the covered part of each pixel; `u` runs from 0
    at the foot of the blade to 1 at the tip (below 0 on the petiole), `v` from -1 at the left edge
    over 0 on the midrib to 1 at the right, `t` is the distance from the midrib in pixels.
    """

    box: tuple[slice, slice]
    alpha: Field
    u: Field
    v: Field
    t: Field


@dataclass(frozen=True, eq=False)
class Light:
    """`toward` the light (x, y), |toward| <= 1; `shade` strength of shadows; `soft` their blur."""

    toward: tuple[float, float]
    shade: float
    soft: float


def cover(
    leaf: Leaf, centre: tuple[float, float], size: tuple[int, int], margin: int
) -> Cover | None:
    """Return what a leaf covers of a canvas of `size`, or None where it lies outside.

    `centre` (x, y) is the plant's; the box is `margin` pixels wider than the leaf, for its shadow.
    """
    box = _box(leaf, centre, size, margin)
    if box is None:
        return None
    rows, columns = box
    left, top = np.float32(centre[0] + leaf.root[0]), np.float32(centre[1] + leaf.root[1])
    x = np.arange(columns.start, columns.stop, dtype=np.float32) - left
    y = (np.arange(rows.start, rows.stop, dtype=np.float32) - top)[:, None]
    cos, sin = np.float32(np.cos(leaf.angle)), np.float32(np.sin(leaf.angle))
    s = cos * x + sin * y
    t = cos * y - sin * x - np.float32(leaf.bend / leaf.length**2) * s * s

    position = np.clip(s * np.float32((STEPS - 1) / leaf.length), 0, STEPS - 1)
    index = np.minimum(position.astype(np.int32), STEPS - 2)
    side = (t > 0).astype(np.int32)
    flat = leaf.half_widths.ravel()
    at = index + side * STEPS
    low, slope = flat[at], flat[at + 1] - flat[at]
    half = low + (position - index) * slope
    steep = slope * np.float32((STEPS - 1) / leaf.length)
    distance = (half - np.abs(t)) / np.sqrt(1 + steep * steep)
    distance = np.minimum(distance, np.minimum(s + 1, leaf.length - s)) + np.float32(0.5)
    alpha = np.asarray(np.clip(distance, 0, 1), np.float32)
    u = (s - np.float32(leaf.petiole)) / np.float32(leaf.length - leaf.petiole)
    v = np.asarray(np.clip(t / np.maximum(half, np.float32(0.5)), -1, 1), np.float32)
    return Cover(box, alpha, u, v, t)


def _box(
    leaf: Leaf, centre: tuple[float, float], size: tuple[int, int], margin: int
) -> tuple[slice, slice] | None:
    """Return the rows and columns that a leaf and its margin may touch, cut to the canvas."""
    s = np.linspace(0, leaf.length, STEPS)
    middle = leaf.bend / leaf.length**2 * s * s
    t = np.stack([middle - leaf.half_widths[0], middle + leaf.half_widths[1]])
    x = centre[0] + leaf.root[0] + np.cos(leaf.angle) * s - np.sin(leaf.angle) * t
    y = centre[1] + leaf.root[1] + np.sin(leaf.angle) * s + np.cos(leaf.angle) * t
    rows, columns = (
        slice(max(0, int(values.min()) - margin), min(limit, int(values.max()) + margin + 2))
        for values, limit in ((y, size[0]), (x, size[1]))
    )
    return None if rows.start >= rows.stop or columns.start >= columns.stop else (rows, columns)


def shade_below(canvas: Field, leaf: Cover, light: Light) -> None:
    """Darken what lies under a leaf and beside it, away from the light; writes into `canvas`."""
    part = canvas[leaf.box]
    shift = np.array([[1, 0, -light.soft * light.toward[0]], [0, 1, -light.soft * light.toward[1]]])
    shadow = cv2.warpAffine(leaf.alpha, shift, leaf.alpha.shape[::-1])
    shadow = cv2.GaussianBlur(shadow, (0, 0), max(0.5, 0.5 * light.soft))
    part *= (1 - np.float32(light.shade) * shadow)[..., None]


def paint(
    canvas: Field,
    leaf: Leaf,
    at: Cover,
    colour: NDArray[np.float64],
    light: Light,
    grain: Field,
    rng: np.random.Generator,
) -> None:
    """Lay a leaf of an RGB `colour` (0 to 1) over the canvas; writes into `canvas`.

    `grain` is smooth noise at least as large as the canvas: the relief between the veins.
    """
    lightness = _relief(leaf, at, light, rng) * (1 + _blisters(grain, at, light, rng))
    pale = _veins(leaf, at, rng)
    veined = colour + pale[..., None] * (0.5 * (VEIN - colour))
    part = canvas[at.box]
    part += at.alpha[..., None] * ((veined * lightness[..., None]).astype(np.float32) - part)


def _relief(leaf: Leaf, at: Cover, light: Light, rng: np.random.Generator) -> Field:
    """Return the lightness, about 1, of a blade that is folded, arched and cupped.

    Fold: its halves slope to or from the light; arch: so do its foot and its tip; cup: the edge
    is lighter or darker than the middle. Last, many leaves have a thin bright rim.
    """
    r = rng.uniform(size=4)
    cos, sin = np.cos(leaf.angle), np.sin(leaf.angle)
    along = light.toward[0] * cos + light.toward[1] * sin
    across = light.toward[1] * cos - light.toward[0] * sin
    blade, on_blade = np.clip(at.u, 0, 1), np.clip(at.u * 8 + 1, 0, 1)
    fold = (0.03 + 0.1 * r[0]) * across * (at.t / (np.abs(at.t) + 0.08 * leaf.width + 1))
    arch = (0.15 + 0.3 * r[1]) * along * (blade - 0.4)
    cup = (0.25 * r[2] - 0.1) * (at.v * at.v - 0.4) * on_blade
    rim = np.clip(np.abs(at.v) * 6 - 5, 0, 1) + np.clip(at.u * 14 - 13, 0, 1)
    relief: Field = 1 + fold + arch + cup + (0.12 * r[3]) * rim * on_blade
    return relief


def _veins(leaf: Leaf, at: Cover, rng: np.random.Generator) -> Field:
    """Return how pale each pixel is, 0 to 1: the petiole, the midrib, and faint side veins."""
    r = rng.uniform(size=4)
    on_blade = np.clip(at.u * 8 + 1, 0, 1)
    rib = np.clip(1.3 - np.abs(at.t) / max(0.7, 0.035 * leaf.width), 0, 1)
    rib *= np.clip(1.3 - 1.2 * at.u, 0, 1)
    turns = (at.u - 0.45 * np.abs(at.v)) * (4 + 3 * r[0])  # veins lean to the tip, 4 to 7 a side
    side = np.cos(2 * np.pi * turns) ** 8 * (1 - at.v * at.v) * on_blade
    pale = (0.25 + 0.4 * r[1]) * rib + 0.14 * r[2] * side
    pale = np.maximum(pale, (1 - on_blade) * (0.3 + 0.4 * r[3]))
    return np.asarray(np.clip(pale, 0, 1), np.float32)


def _blisters(grain: Field, at: Cover, light: Light, rng: np.random.Generator) -> Field:
    """Return the slope of a random part of `grain` towards the light, about +-0.1."""
    height, width = at.alpha.shape
    y = int(rng.integers(0, max(1, grain.shape[0] - height - 2)))
    x = int(rng.integers(0, max(1, grain.shape[1] - width - 2)))
    field = grain[y : y + height + 1, x : x + width + 1]
    dx = field[:height, 1 : width + 1] - field[:height, :width]
    dy = field[1 : height + 1, :width] - field[:height, :width]
    return light.toward[0] * dx + light.toward[1] * dy
