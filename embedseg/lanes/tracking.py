"""Keeping the ids of lanes over the frames of a drive.

Lanes of a new frame are matched to those last seen, one-to-one, so that the sum of costs is least
(Hungarian). The cost of a pair is the mean distance of the two curves, measured across the lane on
the rows that both have, over `reach`; plus, where embeddings are given, the distance of the lanes'
mean embeddings over `margin`. Pairs whose curves are farther apart than `reach` never match. A lane
that is not seen keeps its id for `patience` frames.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment

from embedseg.lanes.polylines import Lanes, Points, Size, at_rows

REACH = 0.06  # of the image's width; a lane is about 0.3 wide near the camera, 0.03 far off
ROWS = 48  # rows of the image at which curves are compared
SHARED = 2  # rows that two curves must share to be compared
FORBIDDEN = 1e6


@dataclass
class _Track:
    number: int
    lane: Points
    embedding: NDArray[np.float64] | None
    unseen: int = 0


@dataclass
class LaneTracker:
    """Gives the lanes of consecutive frames ids that stay; feed it every frame, in order.

    `reach` in pixels (None: 0.06 of the width), `patience` in frames, `margin`: the distance of
    embeddings that weighs as much as `reach` (twice the loss's delta_d is two lanes apart).
    """

    reach: float | None = None
    patience: int = 10
    margin: float = 1.5
    _tracks: list[_Track] = field(default_factory=list, repr=False)
    _next: int = 1

    def __post_init__(self) -> None:
        if (self.reach is not None and self.reach <= 0) or self.patience < 0 or self.margin <= 0:
            raise ValueError(
                "reach and margin must be > 0 and patience >= 0, got "
                f"{self.reach}, {self.margin} and {self.patience}"
            )

    def update(self, lanes: Lanes, embeddings: ArrayLike | None = None) -> Lanes:
        """Return the lanes of the next frame with ids that follow those of earlier frames.

        `embeddings` (len(lanes), E): mean embedding of each lane. An id is never used again for
        another lane.
        """
        means = self._checked(lanes, embeddings)
        cost = self._costs(lanes, means)
        rows, columns = linear_sum_assignment(cost)
        partner = {
            int(c): int(r) for r, c in zip(rows, columns, strict=True) if cost[r, c] < FORBIDDEN
        }
        for track in self._tracks:
            track.unseen += 1
        ids = []
        for index, lane in enumerate(lanes.points):
            if index in partner:
                track = self._tracks[partner[index]]
            else:
                track = _Track(self._next, lane, None)
                self._next += 1
                self._tracks.append(track)
            track.lane, track.unseen = lane, 0
            track.embedding = None if means is None else means[index]
            ids.append(track.number)
        self._tracks = [track for track in self._tracks if track.unseen <= self.patience]
        return replace(lanes, ids=tuple(ids))

    def _checked(self, lanes: Lanes, embeddings: ArrayLike | None) -> NDArray[np.float64] | None:
        if embeddings is None:
            return None
        means = np.asarray(embeddings, dtype=np.float64)
        if means.ndim != 2 or len(means) != len(lanes):
            raise ValueError(f"embeddings must be ({len(lanes)}, E), got {means.shape}")
        return means

    def _costs(self, lanes: Lanes, means: NDArray[np.float64] | None) -> NDArray[np.float64]:
        size = lanes.known_size
        reach = self.reach or REACH * size[1]
        apart = curve_distances([track.lane for track in self._tracks], lanes.points, size)
        cost = np.where(apart > reach, FORBIDDEN, apart / reach)
        for i, track in enumerate(self._tracks):
            if means is not None and track.embedding is not None:
                cost[i] += np.linalg.norm(track.embedding - means, axis=1) / self.margin
        return np.minimum(cost, FORBIDDEN)


def curve_distances(a: Sequence[Points], b: Sequence[Points], size: Size) -> NDArray[np.float64]:
    """Return (A, B) the mean distance in pixels of two curves, across them, on rows both have.

    Infinite where they share fewer than two of 48 rows; two lanes of hardly any height are
    compared by their middle points.
    """
    if not len(a) or not len(b):
        return np.zeros((len(a), len(b)))
    rows = np.linspace(0, size[0] - 1, ROWS)
    xa = np.stack([at_rows(lane, rows) for lane in a])[:, None]
    xb = np.stack([at_rows(lane, rows) for lane in b])[None]
    both = np.isfinite(xa) & np.isfinite(xb)
    count = both.sum(-1)
    few = np.maximum(count, 1)
    gap = np.where(both, np.abs(xa - xb), 0.0).sum(-1) / few
    # slope of the line through the middle of the two, least squares
    middle = np.where(both, (xa + xb) / 2, 0.0)
    y = np.where(both, rows, 0.0)
    y = np.where(both, y - (y.sum(-1) / few)[..., None], 0.0)
    slope = (y * middle).sum(-1) / np.maximum((y * y).sum(-1), 1e-12)
    apart = np.where(count < SHARED, np.inf, gap / np.hypot(1.0, slope))
    tall = [np.array([np.ptp(lane[:, 1]) for lane in lanes]) for lanes in (a, b)]
    flat = np.maximum(tall[0][:, None], tall[1]) < SHARED * size[0] / ROWS
    if flat.any():
        centre = [np.stack([lane.mean(axis=0) for lane in lanes]) for lanes in (a, b)]
        between = np.linalg.norm(centre[0][:, None] - centre[1], axis=-1)
        apart = np.where(flat, between, apart)
    return np.asarray(apart)
