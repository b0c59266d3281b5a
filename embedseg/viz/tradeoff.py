"""Quality against cost: a point for each of several models, named, with the best ones joined."""

import math
from collections.abc import Callable, Sequence
from operator import neg
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from embedseg.viz.style import TEXT, figure, say

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SIZE = (6.4, 4.2)  # inches
_AREA = (18.0, 260.0)  # points^2 of the smallest and largest disc
_DECADES = 0.8  # costs spread over more of these are drawn on a logarithmic axis
LETTER = 5.0  # points, of a letter of a name on an average, with a margin


Rank = Callable[[float], float]


class Box(NamedTuple):
    """Left, right, bottom and top, in points of the page."""

    left: float
    right: float
    bottom: float
    top: float

    def meets(self, other: "Box") -> bool:
        """Tell whether both have a place in common."""
        across = self.left < other.right and other.left < self.right
        return across and self.bottom < other.top and other.bottom < self.top


class Point(NamedTuple):
    """A model: its cost and quality, the deviation of the quality, and a size (parameters)."""

    name: str
    cost: float
    quality: float
    std: float = 0.0
    size: float = 1.0


def plot_tradeoff(
    path: str | Path, points: Sequence[Point], *, quality: str, cost: str, rank: Rank = neg
) -> None:
    """Draw `points`: cost to the right, quality upwards; the area of a disc grows with its size.

    The line joins the models that no other one beats in both; bars are standard deviations. `rank`
    is smaller for a better quality: by default the higher one.
    """
    with figure(path, *_SIZE) as fig:
        if not points:
            say(fig, "no finished run yet")
            return
        axis = fig.subplots()
        axis.set_xlabel(cost)
        axis.set_ylabel(quality)
        best = frontier(points, rank)
        axis.step(
            [p.cost for p in best], [p.quality for p in best], where="post", color="#B9BEC4",
            lw=1.2, zorder=1,
        )  # fmt: skip
        largest = max(p.size for p in points)
        for point in points:
            area = _disc(point.size / largest)
            bar = point.std or None
            axis.errorbar(point.cost, point.quality, bar, fmt="none", elinewidth=1, ecolor=TEXT)
            axis.scatter(point.cost, point.quality, s=area, alpha=0.8, linewidths=0, zorder=3)
        costs = [p.cost for p in points]
        if min(costs) > 0 and math.log10(max(costs) / min(costs)) > _DECADES:
            axis.set_xscale("log")
        axis.margins(0.14)
        fig.draw_without_rendering()
        _name(axis, points, 72 / fig.dpi)


def _disc(share: float) -> float:
    """Return the area of a disc, in points^2, for a share of the largest size."""
    return _AREA[0] + (_AREA[1] - _AREA[0]) * share


def frontier(points: Sequence[Point], rank: Rank = neg) -> list[Point]:
    """Return the points that no cheaper or equally cheap one equals or beats, by cost.

    `rank` is smaller for a better quality.
    """
    best: list[Point] = []
    for point in sorted(points, key=lambda p: (p.cost, rank(p.quality))):
        if not best or rank(point.quality) < rank(best[-1].quality):
            best.append(point)
    return best


def _name(axis: "Axes", points: Sequence[Point], scale: float) -> None:
    """Write each name beside its disc."""
    largest = max(p.size for p in points)
    places = [
        (float(x) * scale, float(y) * scale)
        for x, y in (axis.transData.transform((p.cost, p.quality)) for p in points)
    ]
    radii = [math.sqrt(_disc(p.size / largest) / math.pi) for p in points]
    for point, spot in zip(points, spots_of(points, places, radii), strict=True):
        axis.annotate(
            point.name, (point.cost, point.quality), spot, textcoords="offset points",
            ha="center", va="center", fontsize=7.5, color=TEXT, annotation_clip=False,
        )  # fmt: skip


def spots_of(
    points: Sequence[Point], places: Sequence[tuple[float, float]], radii: Sequence[float]
) -> list[tuple[float, float]]:
    """Return where to write each name, from its disc: where no disc and no other name is.

    `places` and `radii` of the discs in points of the page. Above, below, right or left of the disc
    if one of them is free, else farther up or down.
    """
    taken = [Box(x - r, x + r, y - r, y + r) for (x, y), r in zip(places, radii, strict=True)]
    chosen = []
    for point, (x, y), radius in zip(points, places, radii, strict=True):
        half = LETTER * len(point.name) / 2
        up, aside = radius + 6.0, half + radius + 3
        spots = [(0.0, up), (0.0, -up), (aside, 0.0), (-aside, 0.0)]
        spots += [(0.0, sign * (up + step)) for step in range(4, 80, 4) for sign in (1, -1)]
        boxes = [Box(x + u - half, x + u + half, y + v - 5, y + v + 5) for u, v in spots]
        free = [k for k, box in enumerate(boxes) if not any(box.meets(other) for other in taken)]
        best = free[0] if free else 0
        taken.append(boxes[best])
        chosen.append(spots[best])
    return chosen
