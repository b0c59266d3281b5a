"""The ground of a generated road picture: surface, paint, seams, marks and shadows.

Everything is a function of where a pixel lies on the ground: `across` in metres from the road's
reference line and `distance` in metres from the camera.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from embedseg._cv2 import cv2
from embedseg.data.ground import smooth_noise
from embedseg.data.road_geometry import Road, Row
from embedseg.jit import kernel
from embedseg.lanes.polylines import Points

Field = NDArray[np.float32]

TILE = 512  # pixels; the side of a texture, which repeats
TABLE = 24.0  # entries a metre of the table of colours across the road
REACH = 45.0  # metres to either side that the table covers
VERGES = (  # RGB 0 to 1: dry grass, green grass, sand, gravel
    (0.42, 0.38, 0.26), (0.25, 0.32, 0.17), (0.50, 0.44, 0.36), (0.36, 0.35, 0.33),
)  # fmt: skip
WHITE, YELLOW = (0.86, 0.86, 0.84), (0.80, 0.62, 0.22)
SUBROWS = 3  # paint is drawn that many times finer downwards


def draw_ground(road: Road, rng: np.random.Generator) -> Field:
    """Return the ground (H - top, W, 3), RGB 0 to 1, from the first row that shows it."""
    across, z = _place(road)
    table = _across_table(road, rng)
    ground = table[np.clip((across + REACH) * TABLE, 0, len(table) - 1).astype(np.intp)]
    fineness = np.clip(road.scale[road.top :, None] / 12.0, 0.15, 1.0).astype(np.float32)
    rough = rng.uniform(0.02, 0.07) * _texture(across, z, 9.0, 5.0, rng) * fineness
    rough += rng.uniform(0.02, 0.06) * _texture(across, z, 1.3, 0.12, rng)
    ground = ground * (1 + rough)[..., None]
    _joints(ground, z, rng)
    return np.asarray(ground, np.float32)


def _place(road: Road) -> tuple[Field, Field]:
    """Return for each pixel metres across, (h, W), and for each row the distance, (h, 1)."""
    part = slice(road.top, None)
    columns = np.arange(road.lanes.known_size[1], dtype=np.float32)
    scale = np.maximum(road.scale[part, None], 0.05).astype(np.float32)
    across = (columns - road.reference[part, None].astype(np.float32)) / scale
    return across, np.minimum(road.distance[part, None], 1e4).astype(np.float32)


def _texture(
    across: Field,
    z: Field,
    per_metre_across: float,
    per_metre_along: float,
    rng: np.random.Generator,
) -> Field:
    """Return noise of deviation 1 that lies on the ground."""
    noise = smooth_noise((TILE, TILE), rng.uniform(1.5, 4.0), rng)
    u = np.mod(across * np.float32(per_metre_across), TILE)
    v = np.broadcast_to(np.mod(z * np.float32(per_metre_along), TILE), across.shape)
    return np.asarray(cv2.remap(noise, u, np.ascontiguousarray(v), cv2.INTER_LINEAR), np.float32)


def _across_table(road: Road, rng: np.random.Generator) -> Field:
    """Return the colours (n, 3) of the ground from left to right: verge, shoulder, lanes, verge."""
    place = np.arange(-REACH, REACH, 1 / TABLE)
    lines = road.offsets or (-1.8, 1.8)
    verge = np.array(VERGES[rng.integers(len(VERGES))]) * rng.uniform(0.5, 1.2)
    colours = np.tile(verge, (len(place), 1))
    surface = _surface(rng)
    left, right = lines[0] - rng.uniform(0.2, 4.0), lines[-1] + rng.uniform(0.2, 4.5)
    tone = np.full(len(place), 1.0)
    for begin, end in zip((left, *lines), (*lines, right), strict=True):
        tone[(place >= begin) & (place < end)] = rng.normal(1, 0.06)
    on_road = (place >= left) & (place <= right)
    tone *= 1 + 0.03 * np.convolve(rng.standard_normal(len(place)), np.ones(9) / 3, "same")
    depth = rng.uniform(-0.05, 0.16)
    for begin, end in pairwise(lines):
        for track in (-0.85, 0.85):
            tone *= 1 - depth * np.exp(-((place - (begin + end) / 2 - track) ** 2) / 0.18)
    if rng.random() < 0.6:  # seams between slabs, beside the lines
        shift, dark = rng.uniform(-0.35, 0.35), rng.uniform(0.1, 0.5)
        for line in lines:
            tone *= 1 - dark * (np.abs(place - line - shift) < 0.5 / TABLE + 0.02)
    colours[on_road] = surface * tone[on_road, None]
    return colours.astype(np.float32)


def _surface(rng: np.random.Generator) -> Row:
    """Return the colour of asphalt or concrete."""
    grey = rng.uniform(0.24, 0.48) if rng.random() < 0.6 else rng.uniform(0.42, 0.66)
    return np.asarray(grey * np.array([1.0, rng.uniform(0.97, 1.0), rng.uniform(0.9, 1.04)]))


def _joints(ground: Field, z: Field, rng: np.random.Generator) -> None:
    """Darken the joints across the road, and a patch or two of newer surface."""
    if rng.random() < 0.5:
        every, dark = rng.uniform(4.0, 7.0), rng.uniform(0.05, 0.2)
        thick = np.maximum(np.abs(np.gradient(z[:, 0]))[:, None], 0.04)
        hit = np.clip(1 - np.abs(np.mod(z, every) - every / 2) / thick, 0, 1)
        ground *= (1 - dark * hit)[..., None].astype(np.float32)
    for _ in range(rng.integers(0, 3)):
        begin = rng.uniform(5, 60)
        inside = (z > begin) & (z < begin + rng.uniform(2, 25))
        ground *= np.where(inside, np.float32(rng.normal(1, 0.08)), np.float32(1))[..., None]


def paint_lines(ground: Field, road: Road, rng: np.random.Generator) -> None:
    """Paint every lane line: solid, dashed, double or of raised dots; worn, white or yellow."""
    worn = np.clip(1.1 + 0.4 * smooth_noise(ground.shape[:2], 2.0, rng), 0, 1).astype(np.float32)
    wear, fresh = rng.uniform(0, 0.7), rng.uniform(0.45, 1.0)
    phase, style = rng.uniform(0, 12), rng.integers(3)
    for index, lane in enumerate(road.lanes.points):
        outer = index in (0, len(road.lanes) - 1)
        cover = np.zeros(ground.shape[:2], np.float32)
        for shift, half, period, share in _strokes(outer, int(style), rng):
            _cover_line(cover, lane, road, (shift, half, period, share, phase + rng.normal(0, 1)))
        colour = YELLOW if outer and index == 0 and rng.random() < 0.45 else WHITE
        strength = np.float32(fresh * (rng.uniform(0.6, 1.0) if rng.random() < 0.85 else 0.2))
        alpha = (strength * cover * (1 - np.float32(wear) * (1 - worn)))[..., None]
        seen = np.flatnonzero(cover.any(axis=1))
        if len(seen):
            rows = slice(seen[0], seen[-1] + 1)
            ground[rows] += alpha[rows] * (np.array(colour, np.float32) - ground[rows])


def _strokes(
    outer: bool, style: int, rng: np.random.Generator
) -> list[tuple[float, float, float, float]]:
    """Return strokes of a line: shift and half width in metres, period and share of the dashes."""
    half = rng.uniform(0.05, 0.1)
    if outer and rng.random() < 0.75:
        double = rng.random() < 0.15
        return (
            [(-0.14, half, 1.0, 1.0), (0.14, half, 1.0, 1.0)] if double else [(0.0, half, 1.0, 1.0)]
        )
    period = (12.2, 9.0, 6.0)[style]
    dashes = (0.0, half, period, rng.uniform(0.22, 0.5))
    dots = (0.0, 0.06, period / rng.integers(1, 5), 0.02)
    kind = rng.random()
    if kind < 0.6:
        return [dashes]
    if kind < 0.85:
        return [dashes, dots]
    return [dots] if kind < 0.93 else [(0.0, half, 1.0, 1.0)]


def _cover_line(
    cover: Field, lane: Points, road: Road, stroke: tuple[float, float, float, float, float]
) -> None:
    """Add the share of each pixel that one stroke of a line covers."""
    shift, half, period, share, phase = stroke
    fine = np.arange(road.top - 0.5 + 0.5 / SUBROWS, len(road.scale) - 0.5, 1 / SUBROWS)
    order = np.argsort(lane[:, 1], kind="stable")
    x = np.interp(fine, lane[order, 1], lane[order, 0], left=np.nan, right=np.nan)
    rows = np.arange(len(road.scale), dtype=np.float64)
    scale = np.interp(fine, rows, road.scale)
    z = np.interp(fine, rows, np.minimum(road.distance, 1e4)) + phase
    edge = np.append(z, z[-1])
    painted = np.floor(edge / period) * share + np.minimum(np.mod(edge, period) / period, share)
    travelled = np.maximum(-np.diff(edge) / period, 1e-9)
    part = np.clip(-np.diff(painted) / travelled, 0, 1) if share < 1 else np.ones(len(z))
    part[-1] = part[-2]
    _stroke(cover, x + shift * scale, half * scale, part, SUBROWS)


@kernel
def _stroke(cover, x, half, part, subrows):  # type: ignore[no-untyped-def]
    """Add horizontal strokes at the finer rows, exact in x, to the cover of the pixels."""
    height, width = cover.shape
    for i in range(len(x)):
        y = i // subrows
        if y >= height or not np.isfinite(x[i]) or part[i] <= 0.0:
            continue
        low, high = x[i] - half[i], x[i] + half[i]
        first, last = max(int(np.floor(low + 0.5)), 0), min(int(np.floor(high + 0.5)), width - 1)
        for c in range(first, last + 1):
            inside = min(high, c + 0.5) - max(low, c - 0.5)
            cover[y, c] = min(cover[y, c] + part[i] * max(inside, 0.0) / subrows, 1.0)


def cast_shadows(ground: Field, road: Road, rng: np.random.Generator) -> None:
    """Darken the ground under trees, a bridge, or beside a wall, in half of the pictures."""
    if rng.random() < 0.5:
        return
    across, z = _place(road)
    dark = np.float32(rng.uniform(0.3, 0.75))
    if rng.random() < 0.6:
        noise = _texture(across, z, rng.uniform(2, 8), rng.uniform(1, 8), rng)
        side = rng.choice([-1.0, 1.0]) * across / 6.0 + rng.normal(0, 0.8)
        cover = np.clip((noise + side.astype(np.float32)) * 2.0, 0, 1)
    else:
        begin = rng.uniform(6, 60)
        slant = np.float32(rng.normal(0, 0.2)) * across
        depth = np.minimum(z + slant - begin, begin + rng.uniform(3, 20) - z - slant)
        cover = np.clip(depth * 2 + 0.5, 0, 1)
    ground *= (1 - dark * cover)[..., None]
