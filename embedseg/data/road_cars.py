"""Cars and lorries of a generated road picture, seen from behind, far ones first."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from embedseg.data.road_geometry import Road
from embedseg.data.road_scenery import Colour, Picture, fill_polygon

PAINTS: tuple[Colour, ...] = (
    (225, 226, 228), (28, 28, 30), (120, 124, 130), (170, 172, 176), (110, 24, 26),
    (36, 52, 92), (60, 62, 66), (150, 140, 120), (200, 204, 210), (24, 40, 40),
)  # fmt: skip
GLASS: Colour = (38, 44, 50)
RUBBER: Colour = (20, 20, 21)
LAMP: Colour = (150, 28, 24)
NEAREST = 7.0  # metres; a nearer car would be cut by the lower border


class _Car(NamedTuple):
    across: float
    z: float
    width: float
    height: float
    length: float
    colour: Colour
    box: bool  # a van or lorry: as wide above as below


def draw_cars(picture: Picture, road: Road, rng: np.random.Generator) -> None:
    """Draw a random number of vehicles between the lines, shadows under them."""
    lines = road.offsets or (-1.8, 1.8)
    crowd = rng.choice([0.0, 0.5, 1.0, 1.6])
    cars = []
    for left, right in pairwise(lines):
        own = left < _camera_across(road) < right
        z = NEAREST + (8.0 if own else 0.0) + rng.exponential(14)
        while rng.random() < crowd / (1 + 0.5 * crowd) and z < 150:
            cars.append(_car((left + right) / 2 + rng.normal(0, 0.25), z, rng))
            z += cars[-1].length + 6 + rng.exponential(18)
    dark = rng.uniform(0.7, 1.05)
    for car in sorted(cars, key=lambda car: -car.z):
        r, g, b = car.colour
        _draw(picture, road, car._replace(colour=(dark * r, dark * g, dark * b)))


def _camera_across(road: Road) -> float:
    """Return how far right of the reference line the camera is."""
    bottom = len(road.scale) - 1
    middle = (road.lanes.known_size[1] - 1) / 2
    return float((middle - road.reference[bottom]) / max(road.scale[bottom], 1e-3))


def _car(across: float, z: float, rng: np.random.Generator) -> _Car:
    colour = PAINTS[rng.integers(len(PAINTS))]
    kind = rng.random()
    if kind < 0.72:
        return _Car(across, z, rng.uniform(1.7, 1.9), rng.uniform(1.35, 1.75), 4.5, colour, False)
    if kind < 0.88:
        return _Car(across, z, rng.uniform(1.9, 2.1), rng.uniform(1.9, 2.4), 5.5, colour, True)
    return _Car(across, z, 2.5, rng.uniform(2.8, 3.8), 10.0, colour, True)


def _draw(picture: Picture, road: Road, car: _Car) -> None:
    """Draw shadow, the visible side, the back, window, lamps, wheels and plate."""
    half, tall = car.width / 2, car.height
    waist = 0.92 * tall if car.box else 0.58 * tall
    roof = half * (0.97 if car.box else 0.72)

    def at(*corners: tuple[float, float, float]) -> np.ndarray:
        return np.array([road.at(car.across + a, up, car.z + back) for a, up, back in corners])

    def shade(by: float) -> Colour:
        return car.colour[0] * by, car.colour[1] * by, car.colour[2] * by

    far = car.length
    _shadow(
        picture, at((-half - 0.2, 0, -0.3), (half + 0.2, 0, -0.3), (half, 0, far), (-half, 0, far))
    )
    side = half if car.across + half < _camera_across(road) else -half
    top = roof if side > 0 else -roof
    fill_polygon(
        picture,
        at((side, 0.25, 0), (side, 0.25, far), (side, waist, far), (side, waist, 0)),
        shade(0.7),
    )
    if not car.box:
        fill_polygon(
            picture,
            at(
                (side, waist, 0),
                (side, waist, far * 0.75),
                (top, tall, far * 0.6),
                (top, tall, 0.7),
            ),
            GLASS,
        )
    for back in (0.8, far - 0.9):
        wheel = at(
            (side, 0, back - 0.33),
            (side, 0, back + 0.33),
            (side, 0.6, back + 0.33),
            (side, 0.6, back - 0.33),
        )
        fill_polygon(picture, wheel, RUBBER)
    for inner, outer in ((-half, -half + 0.25), (half - 0.25, half)):
        fill_polygon(
            picture, at((inner, 0, 0), (outer, 0, 0), (outer, 0.35, 0), (inner, 0.35, 0)), RUBBER
        )
    fill_polygon(
        picture,
        at((-half, 0.22, 0), (half, 0.22, 0), (half, waist, 0), (-half, waist, 0)),
        shade(0.9),
    )
    cabin = at((-half, waist, 0), (half, waist, 0), (roof, tall, 0.5), (-roof, tall, 0.5))
    fill_polygon(picture, cabin, shade(1.0))
    low, high = (0.55 * tall, 0.85 * tall) if car.box else (0.62 * tall, 0.94 * tall)
    pane = 0.8 * half if car.box else 0.86 * (half + roof) / 2
    if not car.box or tall < 2.6:
        fill_polygon(
            picture,
            at(
                (-pane, low, 0.1),
                (pane, low, 0.1),
                (pane * 0.88, high, 0.4),
                (-pane * 0.88, high, 0.4),
            ),
            GLASS,
        )
    fill_polygon(
        picture,
        at((-half, 0.22, 0), (half, 0.22, 0), (half, 0.32, 0), (-half, 0.32, 0)),
        shade(0.55),
    )
    lamp = (0.48 * tall, 0.56 * tall) if not car.box else (0.3 * tall, 0.42 * tall)
    for inner, outer in ((-half, -half + 0.35), (half - 0.35, half)):
        fill_polygon(
            picture,
            at((inner, lamp[0], 0), (outer, lamp[0], 0), (outer, lamp[1], 0), (inner, lamp[1], 0)),
            LAMP,
        )
    fill_polygon(
        picture,
        at((-0.25, 0.36, 0), (0.25, 0.36, 0), (0.25, 0.48, 0), (-0.25, 0.48, 0)),
        (180, 180, 176),
    )


def _shadow(picture: Picture, corners: np.ndarray) -> None:
    """Darken the ground under a car."""
    low = np.floor(corners.min(axis=0)).astype(int) - 1
    high = np.ceil(corners.max(axis=0)).astype(int) + 2
    (x0, y0), (x1, y1) = np.maximum(low, 0), np.minimum(high, picture.shape[1::-1])
    if x0 >= x1 or y0 >= y1:
        return
    part = picture[y0:y1, x0:x1]
    mask = np.zeros((*part.shape[:2], 3), np.uint8)
    fill_polygon(mask, corners - (x0, y0), (255, 255, 255))
    part[:] = (part * (1 - 0.75 * mask / 255.0)).astype(np.uint8)
