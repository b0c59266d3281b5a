"""The geometry of a generated road picture: lane lines in the image and the ground behind each row.

The ground is seen by a pinhole camera. For each image row y it has a distance z, a scale s = fx / z
in pixels per metre across, and a column of the reference line; a point `across` metres to the right
of the reference line lies at x = reference(y) + across s(y). Geometry comes from real label lines,
whose camera is estimated from how the lanes widen downwards, or is generated: camera, number of
lines, curvature and its change, heading, and a change of slope.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embedseg.lanes.polylines import (
    Lanes,
    Points,
    Size,
    at_rows,
    clipped,
    lanes_of,
    moved,
    resize_matrix,
)

Row = NDArray[np.float64]  # one value for each row of the image

LANE_METRES = 3.6
FOCAL = 0.8  # of the width; about that of the TuSimple camera
NEAR = 1e-3  # rows closer to the horizon than this have no distance


@dataclass(frozen=True, eq=False)
class Road:
    """Lane lines (`lanes`) and the ground of each row; rows above `horizon` have distance inf.

    `distance` z in metres, `scale` s in pixels per metre across, `upright` the same upwards,
    `reference` in columns: (H,) each. `offsets`: metres of each line right of the reference.
    """

    lanes: Lanes
    horizon: float
    distance: Row
    scale: Row
    upright: Row
    reference: Row
    offsets: tuple[float, ...]

    @property
    def top(self) -> int:
        """The first row that shows ground."""
        return min(int(np.floor(self.horizon)) + 1, len(self.scale) - 1)

    def at(self, across: float, up: float, z: float) -> tuple[float, float]:
        """Return x, y of the point `across` and `up` metres from the reference at distance z."""
        ground = self.distance[self.top :][::-1]
        y = float(np.interp(z, ground, np.arange(len(self.scale) - 1, self.top - 1, -1.0)))
        scale, upright, reference = (
            float(np.interp(z, ground, values[self.top :][::-1]))
            for values in (self.scale, self.upright, self.reference)
        )
        return reference + across * scale, y - up * upright


def labelled_road(source: Lanes, size: Size, rng: np.random.Generator) -> Road:
    """Return a road along real lane lines, mirrored in half of the cases, slightly moved.

    A picture with fewer than two lines of some length gets a plausible camera.
    """
    old = source.known_size
    lanes = moved(source, _jitter(old, size, rng), size)
    widening, horizon = _camera(lanes)
    rows = np.arange(size[0], dtype=np.float64)
    below = np.maximum(rows - horizon, NEAR)
    scale = np.where(rows > horizon, widening * below / LANE_METRES, 0.0)
    focal = FOCAL * size[1]
    distance = np.where(rows > horizon, focal / np.maximum(scale, NEAR), np.inf)
    squeeze = (size[0] / old[0]) / (size[1] / old[1])
    reference = (
        _extended(max(lanes.points, key=_height), rows) if len(lanes) else rows * 0 + size[1] / 2
    )
    offsets = [_offset(lane, reference, scale) for lane in lanes.points]
    order = np.argsort(offsets, kind="stable")
    sorted_lanes = Lanes(tuple(lanes.points[i] for i in order), size, source.name)
    return Road(
        sorted_lanes,
        horizon,
        distance,
        scale,
        scale * squeeze,
        reference,
        tuple(offsets[i] for i in order),
    )


def _jitter(old: Size, new: Size, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the matrix of the resizing, a shift, a stretch and, in half of the cases, a mirror."""
    stretch = rng.uniform(0.95, 1.1)
    shift = rng.normal(0, 0.02, 2) * new[::-1]
    middle = (np.array(new[::-1]) - 1) / 2
    change = np.eye(3)
    change[0, 0] = stretch * rng.choice([-1.0, 1.0])
    change[1, 1] = stretch
    change[:2, 2] = middle + shift - change[:2, :2] @ middle
    return np.asarray((change @ np.vstack([resize_matrix(old, new), [0, 0, 1]]))[:2])


def _camera(lanes: Lanes) -> tuple[float, float]:
    """Return how many columns a lane widens each row, and the row of the horizon."""
    height = lanes.known_size[0]
    top = min((float(lane[:, 1].min()) for lane in lanes.points), default=0.4 * height)
    rows = np.arange(top, height, 4.0)
    columns = np.sort([at_rows(lane, rows) for lane in lanes.points] or [rows * np.nan], axis=0)
    gaps = np.diff(columns, axis=0)
    fits = [_line(rows, gap) for gap in gaps if np.isfinite(gap).sum() >= 5]
    fits = [(k, h) for k, h in fits if k > 0.2]
    widening = float(np.median([k for k, _ in fits])) if fits else 2.6
    horizon = float(np.median([h for _, h in fits])) if fits else top - 0.03 * height
    return min(widening, 8.0), float(np.clip(horizon, top - 0.12 * height, top - 0.01 * height))


def _line(rows: Row, gap: Row) -> tuple[float, float]:
    """Return slope and zero of the straight line through a lane's width over the rows."""
    seen = np.isfinite(gap)
    slope, start = np.polyfit(rows[seen], gap[seen], 1)
    return float(slope), float(-start / slope) if abs(slope) > NEAR else 0.0


def _height(lane: Points) -> float:
    return float(np.ptp(lane[:, 1]))


def _extended(lane: Points, rows: Row) -> Row:
    """Return the columns of a lane at all rows, straight on beyond its ends."""
    x = at_rows(lane, rows)
    seen = np.flatnonzero(np.isfinite(x))
    if len(seen) < 2:
        return np.full(len(rows), float(lane[:, 0].mean()))
    foot = max(2, len(seen) // 5)
    for part, outside in ((seen[:foot], rows < seen[0]), (seen[-foot:], rows > seen[-1])):
        slope, start = np.polyfit(rows[part], x[part], 1) if len(part) > 1 else (0.0, x[part[0]])
        x[outside] = slope * rows[outside] + start
    return np.asarray(np.interp(rows, rows[np.isfinite(x)], x[np.isfinite(x)]))


def _offset(lane: Points, reference: Row, scale: Row) -> float:
    """Return how many metres a lane lies right of the reference, the lower rows counting most."""
    y = np.clip(np.rint(lane[:, 1]).astype(int), 0, len(reference) - 1)
    weight = scale[y] ** 2 + NEAR
    return float(((lane[:, 0] - reference[y]) * scale[y]).sum() / weight.sum())


def generated_road(size: Size, rng: np.random.Generator) -> Road:
    """Return a road of 2 to 6 lines drawn from the generator alone."""
    height, width = size
    focal = rng.uniform(0.7, 1.15) * width
    squeeze = rng.uniform(0.85, 1.0)  # wide pictures are often squeezed to the working size
    z = np.geomspace(2.5, 400.0, 600)
    rise = rng.normal(0, 2e-4) * z**2 + rng.normal(0, 4e-3) * z
    flat = rng.uniform(0.28, 0.48) * height
    y = flat + focal * squeeze * (rng.uniform(1.2, 2.2) - rise) / z
    keep = _seen_from_below(y)
    z, y = z[keep], y[keep]
    bend = (
        rng.normal(0, 1.2e-3) * z**2 / 2 + rng.normal(0, 1e-5) * z**3 / 6 + rng.normal(0, 0.03) * z
    )
    rows = np.arange(height, dtype=np.float64)
    horizon = max(float(y[-1]), -1.0)
    ground = np.interp(rows, y[::-1], z[::-1])
    scale = np.where(rows > horizon, focal / ground, 0.0)
    distance = np.where(rows > horizon, ground, np.inf)
    offsets = _lines(rng)
    middle = (width - 1) / 2 + rng.normal(0, 0.03) * width
    reference = middle + np.interp(rows, y[::-1], (bend / z)[::-1]) * focal
    far = z <= rng.uniform(45, 110)
    columns = [middle + focal * (offset + bend[far]) / z[far] for offset in offsets]
    lanes = lanes_of([np.c_[x, y[far]][::-1] for x in columns], size)
    return _visible(
        Road(lanes, horizon, distance, scale, scale * squeeze, reference, tuple(offsets))
    )


def _seen_from_below(y: Row) -> NDArray[np.bool_]:
    """Return which points of the ground no nearer ground hides: those up to the first crest."""
    crest = int(np.argmax(np.diff(y) >= 0)) if (np.diff(y) >= 0).any() else len(y) - 1
    return np.arange(len(y)) <= max(crest, 1)


def _lines(rng: np.random.Generator) -> list[float]:
    """Return the offsets of 2 to 6 lines in metres; the camera drives between two of them."""
    count = int(rng.choice([2, 3, 4, 5, 6], p=[0.1, 0.25, 0.35, 0.2, 0.1]))
    gaps = rng.uniform(3.2, 3.9) + rng.normal(0, 0.06, count - 1)
    lines = np.concatenate([[0.0], np.cumsum(gaps)])
    own = int(rng.integers(count - 1))
    middle = lines[own : own + 2].mean() + rng.normal(0, 0.35)
    return [float(line - middle) for line in lines]


def _visible(road: Road) -> Road:
    """Return the road with its lines cut at the border; lines never seen are left out."""
    lanes = clipped(road.lanes)
    offsets: Sequence[float] = [road.offsets[number - 1] for number in lanes.ids]
    lanes = Lanes(lanes.points, lanes.size, lanes.name)
    return Road(
        lanes, road.horizon, road.distance, road.scale, road.upright, road.reference, tuple(offsets)
    )
