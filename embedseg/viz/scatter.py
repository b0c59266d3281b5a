"""The pixels of an image as points in two dimensions of their embedding, coloured by instance."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from embedseg.viz.arrays import Array, Floats
from embedseg.viz.colors import instance_colors
from embedseg.viz.projection import LINEAR, to_plane
from embedseg.viz.style import figure, say

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TITLES = {"pca": "PCA", "lda": "LDA", "tsne": "t-SNE", "umap": "UMAP"}
_INCHES = 4.6
_NUMBERED = 60  # more instances than this are not numbered


def plot_scatter(
    path: str | Path,
    embedding: Array,
    labels: Array,
    *,
    method: str = "pca",
    delta_v: float | None = None,
    max_points: int = 4000,
) -> None:
    """Draw the instances' pixels of `embedding` (E, H, W) as points; `labels` (H, W).

    `method` is "pca", "lda", "tsne" or "umap" (extra). Each instance has the colour of its id,
    its mean a cross and its id; with `delta_v` and a linear method a circle of that radius stands
    around the mean: the loss is zero for points within it. At most `max_points` are drawn, spread
    evenly over the pixels' order.
    """
    inside = np.flatnonzero(np.asarray(labels).ravel() > 0)
    if len(inside) > max_points:
        some = np.random.default_rng(0).choice(inside, max_points, replace=False)
        inside = np.sort(some)
    ids = np.asarray(labels).ravel()[inside]
    with figure(path, _INCHES, _INCHES) as fig:
        if not len(inside):
            say(fig, "no foreground")
            return
        vectors = embedding.reshape(len(embedding), -1)[:, inside]
        points = to_plane(vectors, ids, method)
        axis = fig.subplots()
        count = len(np.unique(ids))
        noun = "instance" if count == 1 else "instances"
        axis.set_title(f"{_TITLES[method]} of {len(ids):,} pixels, {count} {noun}")
        radius = delta_v if method in LINEAR else None
        if radius is not None:
            axis.set_xlabel(f"circles: delta_v = {radius:g} around the means")
        _draw(axis, points, ids, radius)


def _draw(axis: "Axes", points: Floats, ids: Array, radius: float | None) -> None:
    from matplotlib.patches import Circle
    from matplotlib.patheffects import withStroke

    shuffled = np.random.default_rng(0).permutation(len(ids))  # no instance hides another
    x, y = points[:, shuffled]
    axis.scatter(x, y, s=5, c=instance_colors(ids)[shuffled] / 255, alpha=0.55, linewidths=0)
    found = np.unique(ids)
    for label in found.tolist():
        middle = points[:, ids == label].mean(1)
        if radius is not None:
            ring = Circle((middle[0], middle[1]), radius, fill=False, lw=0.9, ec="#1b1e23")
            axis.add_patch(ring)
        axis.plot(*middle, "+", color="#1b1e23", markersize=6, markeredgewidth=1.2)
        if len(found) <= _NUMBERED:
            axis.annotate(
                str(label), (middle[0], middle[1]), (4, 4), textcoords="offset points",
                fontsize=7, path_effects=[withStroke(linewidth=2, foreground="white")],
            )  # fmt: skip
    axis.set_aspect("equal", adjustable="datalim")
    axis.margins(0.08)
