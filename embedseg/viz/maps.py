"""Distances in the embedding as pictures over the image: to one pixel, and the margin of a choice.

Both are mapped by colour scales that are monotone in lightness and safe for colour-blind eyes.
"""

from typing import cast

import numpy as np
from scipy.spatial.distance import cdist

from embedseg.viz.arrays import Array, Floats, Mask, Picture
from embedseg.viz.colors import BACKGROUND_COLOR

_CHUNK = 8192  # pixels whose distances to all means are in memory at once
# Near is bright. Lightness falls steadily along the stops (sRGB).
HEAT_STOPS = ("fff8c4", "fcc448", "e46c2c", "a02c5c", "481a68", "140e2c")
# Blue: well inside its own instance. White: on the border. Orange: nearer to another one.
MARGIN_STOPS = ("083c78", "408cc4", "a8d0e8", "f7f7f7", "f4a860", "c8540c")


def distance_map(embedding: Array, row: int, column: int) -> Floats:
    """Distance (H, W) of every pixel's vector in `embedding` (E, H, W) to that of one pixel."""
    H, W = embedding.shape[1:]
    if not (0 <= row < H and 0 <= column < W):
        raise ValueError(f"pixel ({row}, {column}) lies outside the embedding of {H} x {W}")
    return _distance(embedding, embedding[:, row, column])


def margin_map(embedding: Array, labels: Array) -> Floats:
    """Distance to the own mean minus that to the nearest other mean; (H, W), NaN on background.

    For pixel x of instance c: |x - mu_c| - min over d != c of |x - mu_d|. Below zero the pixel is
    nearer to its own mean; near zero its instance is in doubt; above zero the nearest mean is
    another's. With a single instance there is no other mean: all of it is NaN.
    """
    _check_size("labels", labels, embedding.shape[1:])
    inside = labels > 0
    ids, own = np.unique(labels[inside], return_inverse=True)
    margin = np.full(labels.shape, np.nan)
    if len(ids) < 2:
        return margin
    points = embedding[:, inside].T.astype(np.float64)
    sums = np.stack([np.bincount(own, weights=channel) for channel in points.T], axis=1)
    means = sums / np.bincount(own)[:, None]
    value = np.empty(len(points))
    for start in range(0, len(points), _CHUNK):
        part = slice(start, start + _CHUNK)
        away = cdist(points[part], means)
        rows = np.arange(len(away))
        mine = away[rows, own[part]]
        away[rows, own[part]] = np.inf
        value[part] = mine - away.min(1)
    margin[inside] = value
    return margin


def heat_picture(distance: Array, *, reach: float, mask: Mask | None = None) -> Picture:
    """RGB (H, W, 3) of distances (H, W): bright at 0, dark from `reach` on.

    A good reach is 2 * delta_d, where other instances begin. Outside `mask` it is the ground.
    """
    if not reach > 0:
        raise ValueError(f"reach must be > 0, got {reach}; 2 * delta_d is a good one")
    picture = color_scale(HEAT_STOPS, np.clip(distance / reach, 0, 1))
    if mask is not None:
        _check_size("mask", mask, distance.shape)
        picture[~np.asarray(mask, bool)] = BACKGROUND_COLOR
    return picture


def margin_picture(margin: Array, *, reach: float) -> Picture:
    """RGB (H, W, 3) of margins (H, W): blue at -reach, white at 0, orange above; NaN is ground."""
    if not reach > 0:
        raise ValueError(f"reach must be > 0, got {reach}; 2 * delta_d is a good one")
    known = np.isfinite(margin)
    value = np.where(known, margin, 0) / reach
    place = np.where(value < 0, 0.6 * (1 + value), 0.6 + 0.4 * value)  # white is stop 3 of 5
    picture = color_scale(MARGIN_STOPS, np.clip(place, 0, 1))
    picture[~known] = BACKGROUND_COLOR
    return picture


def _check_size(name: str, values: Array, size: tuple[int, ...]) -> None:
    """Refuse labels or a mask of another size than the map's; ValueError."""
    if np.shape(values) != size:
        raise ValueError(
            f"{name} must have the embedding's size {size}, got {np.shape(values)}; "
            "resize with nearest neighbours, one image at a time"
        )


def _distance(embedding: Array, center: Array) -> Floats:
    total = np.zeros(embedding.shape[1:])
    for channel, value in zip(embedding, center, strict=True):
        apart = np.subtract(channel, value, dtype=np.float64)  # bytes wrap, halves overflow
        total += np.square(apart)
    return cast(Floats, np.sqrt(total))


def color_scale(stops: tuple[str, ...], value: Array) -> Picture:
    """Colours (..., 3) of values in 0..1, linear between the stops."""
    table = np.array([list(bytes.fromhex(stop)) for stop in stops], float)
    place = np.linspace(0, 1, len(stops))
    fine = np.linspace(0, 1, 256)
    lut = np.stack([np.interp(fine, place, channel) for channel in table.T], -1)
    index = (np.asarray(value) * 255).round().astype(np.uint8)
    return lut.round().astype(np.uint8)[index]
