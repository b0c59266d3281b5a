"""What stands around a generated road: sky, hills, trees, walls and guard rails, poles, signs."""

import numpy as np
from numpy.typing import NDArray

from embedseg._cv2 import cv2
from embedseg.data.ground import smooth_noise
from embedseg.data.road_geometry import Road

Picture = NDArray[np.uint8]
Field = NDArray[np.float32]
Colour = tuple[float, float, float]  # RGB 0 to 255

SHIFT = 4  # fractional bits of the coordinates in OpenCV's drawing
GREENS: tuple[Colour, ...] = ((40, 50, 34), (58, 66, 40), (30, 40, 32), (72, 74, 48), (90, 82, 58))
WALLS: tuple[Colour, ...] = ((150, 130, 95), (140, 140, 138), (105, 104, 100), (165, 158, 145))


def draw_sky(size: tuple[int, int], rng: np.random.Generator) -> Field:
    """Return the sky (H, W, 3), RGB 0 to 1: from blue or grey above to pale below, with clouds."""
    height, width = size
    if rng.random() < 0.5:
        zenith, low = np.array([0.35, 0.5, 0.72]), np.array([0.75, 0.82, 0.88])
    else:
        grey = rng.uniform(0.4, 0.85)
        zenith, low = grey * np.array([0.9, 0.95, 1.02]), np.array([grey + 0.1] * 3)
    down = np.linspace(0, 1, height)[:, None, None]
    sky = zenith + (low - zenith) * down**0.7
    clouds = smooth_noise((height, max(width // 3, 1)), height / 9 + 2, rng)
    clouds += 0.6 * smooth_noise((height, max(width // 3, 1)), height / 20 + 1.5, rng)
    clouds = np.asarray(cv2.resize(clouds, (width, height)), np.float32)
    sky = sky * rng.uniform(0.75, 1.05) + (rng.uniform(0, 0.07) * clouds)[..., None]
    return np.asarray(np.clip(sky, 0, 1), np.float32)


def draw_horizon(picture: Picture, road: Road, rng: np.random.Generator) -> None:
    """Draw, onto the whole picture, hills far off and rows of trees or bushes nearer."""
    foot = int(np.clip(road.horizon + 1, 1, picture.shape[0]))
    width = picture.shape[1]
    if rng.random() < 0.7:
        grey = rng.uniform(60, 150)
        hills = np.array([0.92, 1.0, 1.06]) * grey
        _silhouette(
            picture, foot, rng.uniform(0.02, 0.14) * foot * _ridge(width, 90, rng), hills, 0.04, rng
        )
    for _ in range(rng.integers(0, 4)):
        tall = rng.uniform(0.04, 0.35) * foot * _ridge(width, rng.uniform(8, 40), rng)
        middle, spread = rng.uniform(0, width), rng.uniform(0.1, 0.7) * width
        apart = np.abs(np.arange(width) - middle) / spread
        tall = tall * (1.4 * apart if rng.random() < 0.5 else np.clip(1.5 - apart, 0, 1))
        green = np.array(GREENS[rng.integers(len(GREENS))]) * rng.uniform(0.5, 1.3)
        _silhouette(picture, foot, np.minimum(tall, foot), green, 0.35, rng)


def _ridge(width: int, wave: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return heights about 1, never below 0, for each column."""
    ridge = (
        smooth_noise((4, width), wave, rng)[1]
        + 0.35 * smooth_noise((4, width), wave / 4 + 1, rng)[1]
    )
    return np.asarray(np.maximum(1 + 0.5 * ridge.astype(np.float64), 0))


def _silhouette(
    picture: Picture,
    foot: int,
    tall: NDArray[np.float64],
    colour: NDArray[np.float64],
    rough: float,
    rng: np.random.Generator,
) -> None:
    """Fill the columns from `tall` pixels above the row `foot` down to it, with leafy texture."""
    up = foot - np.arange(foot)[:, None]
    cover = np.clip(tall - up + 0.5, 0, 1)[..., None]
    if not cover.any():
        return
    texture = 1 + rough * smooth_noise((foot, picture.shape[1]), 1.7, rng)
    texture += 0.6 * rough * smooth_noise((foot, picture.shape[1]), 5.0, rng)
    painted = np.clip(colour * np.maximum(texture, 0.15)[..., None], 0, 255)
    picture[:foot] = (picture[:foot] * (1 - cover) + painted * cover).astype(np.uint8)


def draw_barriers(picture: Picture, road: Road, rng: np.random.Generator) -> None:
    """Draw a wall, a guard rail or a hedge along either side, each in half of the pictures."""
    lines = road.offsets or (-1.8, 1.8)
    for side, line in ((-1, lines[0]), (1, lines[-1])):
        if rng.random() < 0.5:
            continue
        across = line + side * rng.uniform(0.8, 6.0)
        kind = rng.random()
        if kind < 0.45:
            _wall(
                picture,
                road,
                across,
                (0.0, rng.uniform(0.7, 1.4)),
                WALLS[rng.integers(len(WALLS))],
                rng,
            )
        elif kind < 0.8:
            for z in np.arange(4.0, 60.0, 4.0) + rng.uniform(0, 4):
                _pole(picture, road, across, float(z), 0.7, 0.1, (95, 92, 88))
            _wall(picture, road, across, (0.45, 0.78), (150, 152, 155), rng)
        else:
            _wall(
                picture,
                road,
                across,
                (0.0, rng.uniform(1, 4)),
                GREENS[rng.integers(len(GREENS))],
                rng,
            )


def _wall(
    picture: Picture,
    road: Road,
    across: float,
    heights: tuple[float, float],
    colour: Colour,
    rng: np.random.Generator,
) -> None:
    """Draw an upright band that runs along the road between two heights in metres."""
    rows = np.arange(road.top, len(road.scale), dtype=np.float64)
    part = slice(road.top, None)
    x = road.reference[part] + across * road.scale[part]
    low, high = (np.c_[x, rows - up * road.upright[part]] for up in heights)
    shade = np.array(colour) * rng.uniform(0.6, 1.1)
    fill_polygon(picture, np.vstack([low, high[::-1]]), tuple(shade))
    _line(picture, high, tuple(np.minimum(shade * 1.2, 255)), 1)


def draw_poles(picture: Picture, road: Road, rng: np.random.Generator) -> None:
    """Draw poles and signs beside the road."""
    lines = road.offsets or (-1.8, 1.8)
    for _ in range(rng.integers(0, 5)):
        side = int(rng.choice([-1, 1]))
        across = (lines[0] if side < 0 else lines[-1]) + side * rng.uniform(2, 8)
        z, tall = float(rng.uniform(12, 80)), float(rng.uniform(2, 9))
        grey = float(rng.uniform(50, 140))
        _pole(picture, road, across, z, tall, 0.15, (grey, grey, grey))
        if rng.random() < 0.4:
            colour = ((210, 170, 40), (40, 100, 60), (200, 200, 200), (60, 90, 150))[
                rng.integers(4)
            ]
            corners = [(-0.8, tall - 1.4), (0.8, tall - 1.4), (0.8, tall), (-0.8, tall)]
            sign = np.array([road.at(across + a, up, z) for a, up in corners])
            fill_polygon(picture, sign, colour)


def _pole(
    picture: Picture, road: Road, across: float, z: float, tall: float, thick: float, colour: Colour
) -> None:
    corners = [(-thick / 2, 0.0), (thick / 2, 0.0), (thick / 2, tall), (-thick / 2, tall)]
    fill_polygon(picture, np.array([road.at(across + a, up, z) for a, up in corners]), colour)


def fill_polygon(picture: Picture, points: NDArray[np.float64], colour: tuple[float, ...]) -> None:
    """Fill a polygon of x, y, smoothly edged."""
    fixed = np.rint(np.clip(points, -1e4, 1e4) * 2**SHIFT).astype(np.int32)
    cv2.fillPoly(picture, [fixed], colour, cv2.LINE_AA, SHIFT)


def _line(
    picture: Picture, points: NDArray[np.float64], colour: tuple[float, ...], thick: int
) -> None:
    fixed = np.rint(np.clip(points, -1e4, 1e4) * 2**SHIFT).astype(np.int32)
    cv2.polylines(picture, [fixed], False, colour, thick, cv2.LINE_AA, SHIFT)
