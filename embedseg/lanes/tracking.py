"""Keeping the ids of lanes over the frames of a drive.

Lanes of a new frame are matched to those last seen, one-to-one, so that the sum of costs is least
(Hungarian). The cost of a pair is the mean distance of the two curves, measured across the lane on
the rows that both have, over `reach`; plus, where embeddings are given, the distance of the lanes'
mean embeddings over `margin`. Pairs whose curves are farther apart than `reach` never match. A lane
that is not seen keeps its id for `patience` frames.
"""

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
        if lanes.size is None:
            raise ValueError(f"the frame's size of {lanes.name!r} is not known; give lanes a size")
        if embeddings is None:
            return None
        means = np.asarray(embeddings, dtype=np.float64)
        if means.ndim != 2 or len(means) != len(lanes):
            raise ValueError(f"embeddings must be ({len(lanes)}, E), got {means.shape}")
        return means

    def _costs(self, lanes: Lanes, means: NDArray[np.float64] | None) -> NDArray[np.float64]:
        size = lanes.size or (1, 1)
        reach = self.reach or REACH * size[1]
        cost = np.full((len(self._tracks), len(lanes)), FORBIDDEN)
        for i, track in enumerate(self._tracks):
            for j, lane in enumerate(lanes.points):
                apart = curve_distance(track.lane, lane, size)
                if apart > reach:
                    continue
                cost[i, j] = apart / reach
                if means is not None and track.embedding is not None:
                    gap = float(np.linalg.norm(track.embedding - means[j]))
                    cost[i, j] += gap / self.margin
        return cost


def curve_distance(a: Points, b: Points, size: Size) -> float:
    """Return the mean distance in pixels of two curves, across them, on the rows both have.

    Infinite where they share fewer than two of 48 rows; two lanes of hardly any height are
    compared by their middle points.
    """
    rows = np.linspace(0, size[0] - 1, ROWS)
    if max(np.ptp(a[:, 1]), np.ptp(b[:, 1])) < SHARED * size[0] / ROWS:
        return float(np.linalg.norm(a.mean(axis=0) - b.mean(axis=0)))
    xa, xb = at_rows(a, rows), at_rows(b, rows)
    both = np.isfinite(xa) & np.isfinite(xb)
    if both.sum() < SHARED:
        return float("inf")
    y, mean = rows[both], (xa[both] + xb[both]) / 2
    slope = np.polyfit(y, mean, 1)[0]
    return float(np.abs(xa[both] - xb[both]).mean() / np.hypot(1.0, slope))
