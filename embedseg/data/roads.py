"""The data set "roads": generated road pictures with exact lane labels, free of any real picture.

A picture is drawn in the order of nature: sky, hills and trees, the ground with its paint and
shadows, barriers, cars; then weather, lens and sensor. Lane lines follow real label lines of
TuSimple's form where a file of them is given, else generated geometry. Labels go through cars and
the gaps of dashes, as those of the public sets do.
"""

import math
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from embedseg._cv2 import cv2
from embedseg.data.lane_sample import LaneSample, lane_sample
from embedseg.data.road_cars import draw_cars
from embedseg.data.road_geometry import Road, generated_road, labelled_road
from embedseg.data.road_scenery import draw_barriers, draw_horizon, draw_poles, draw_sky
from embedseg.data.sample import Dataset
from embedseg.lanes.polylines import Lanes, Size
from embedseg.lanes.tusimple import read_tusimple

SIZE: Size = (256, 512)
LABELLED = 0.75  # share of the pictures with real geometry where there are label lines


def roads(
    count: int,
    seed: int = 0,
    *,
    size: Size = SIZE,
    width: float = 5.0,
    lines: str | Path | None = None,
) -> Dataset:
    """Open `count` generated roads of `size` (H, W) with strokes `width` pixels wide.

    `lines`: a TuSimple label file, or a folder of them; three of four pictures then have the lanes
    of one of its frames. Each picture follows from the seed, its number and that file alone.
    """
    if count < 1:
        raise ValueError(f"count must be >= 1 picture, got {count}")
    if min(size) < 32:
        raise ValueError(f"size must be >= 32 pixels, got {size}")
    if not 0 < width < math.inf:
        raise ValueError(f"width must be > 0 pixels and finite, got {width}; use about 5")
    names = [f"roads{seed}-{number:05}" for number in range(count)]
    where = None if lines is None else str(lines)
    if where is not None:
        label_lines(where)  # complain now, not in the middle of the training
    return Dataset(names, partial(_load, seed, size, width, where))


@lru_cache(maxsize=2)
def label_lines(path: str) -> tuple[Lanes, ...]:
    """Return the frames with lanes of a TuSimple label file, or of all `*.json` in a folder."""
    place = Path(path)
    files = sorted(place.glob("*.json")) if place.is_dir() else [place]
    return tuple(lanes for file in files for lanes in read_tusimple(file) if len(lanes))


def _load(seed: int, size: Size, width: float, lines: str | None, name: str) -> LaneSample:
    rng = np.random.default_rng([seed, int(name.rpartition("-")[2])])
    real = label_lines(lines) if lines is not None else ()
    if real and rng.random() < LABELLED:
        road = labelled_road(real[rng.integers(len(real))], size, rng)
    else:
        road = generated_road(size, rng)
    return lane_sample(draw_road(road, rng), road.lanes, width=width, name=name)


def draw_road(road: Road, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return the picture (H, W, 3) uint8 of a road."""
    scene = draw_sky(road.lanes.known_size, rng)
    picture = np.asarray(np.rint(255 * scene), np.uint8)
    draw_horizon(picture, road, rng)
    from embedseg.data.road_ground import cast_shadows, draw_ground, paint_lines  # numba: late

    ground = draw_ground(road, rng)
    paint_lines(ground, road, rng)
    cast_shadows(ground, road, rng)
    picture[road.top :] = np.clip(255 * ground, 0, 255).astype(np.uint8)
    draw_barriers(picture, road, rng)
    draw_poles(picture, road, rng)
    draw_cars(picture, road, rng)
    return _photograph(picture, road, rng)


def _photograph(
    picture: NDArray[np.uint8], road: Road, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Add haze towards the horizon, exposure, lens and sensor."""
    height, width = picture.shape[:2]
    rows = np.arange(height)[:, None, None]
    haze = rng.uniform(0, 0.45) * np.exp(-np.abs(rows - road.horizon) / (0.06 * height))
    light = rng.uniform(120, 220)
    x, y = np.linspace(-1, 1, width)[:, None], np.linspace(-1, 1, height)[:, None, None]
    vignette = 1 - rng.uniform(0, 0.25) * (x**2 + y**2) / 2
    exposed = (picture * (1 - haze) + light * haze) * vignette * rng.uniform(0.6, 1.25)
    tint = rng.uniform(0.95, 1.05, 3)
    gamma = rng.uniform(0.8, 1.25)
    bright = 255 * (np.clip(exposed * tint, 0, 255) / 255) ** gamma
    soft = cv2.GaussianBlur(bright.astype(np.float32), (0, 0), rng.uniform(0.3, 0.8))
    noise = rng.standard_normal(picture.shape, dtype=np.float32)
    return np.asarray(np.clip(soft + rng.uniform(0.5, 5) * noise, 0, 255), np.uint8)
