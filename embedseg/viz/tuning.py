"""The landscape of tuning: one small curve for each value that was tried."""

from collections.abc import Sequence
from pathlib import Path
from textwrap import fill
from typing import Any, NamedTuple

MARKS = (  # field of Landscape, mark, size, meaning
    ("default", "s", 9, "where the search began (other values as chosen)"),
    ("chosen", "o", 6, "chosen"),
)
BARS = "bars: standard error of the difference to the chosen"
NOTE = (
    "Scores in the heading: at the images' own size; gain on images held out, curves: on the "
    "network's grid"
)


class Landscape(NamedTuple):
    """The scores along one axis, on the network's grid, with the other axes as chosen.

    `errors` are standard errors of the difference to the chosen; `default` is where the search
    began.
    """

    name: str
    values: Sequence[Any]
    scores: Sequence[float]
    errors: Sequence[float]
    chosen: Any
    default: Any


def plot_landscape(panels: Sequence[Landscape], path: Path, *, metric: str, title: str) -> Path:
    """Draw a panel for each of `panels` into the PNG `path`; all share the scale of scores.

    `title` is `Tuning.describe()`, whose scores, unlike the curves, are of the images' own size.
    """
    from matplotlib.figure import Figure

    columns = min(4, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(3.2 * columns, 2.6 * rows + 0.6), dpi=120, layout="constrained")
    figure.suptitle(fill(title, 34 * columns), fontsize=9)
    grid = figure.subplots(rows, columns, sharey=True, squeeze=False)
    for panel, ax in zip(panels, grid.flat, strict=False):
        places = list(range(len(panel.values)))
        bars = {"color": "0.4", "capsize": 2, "linewidth": 1}
        ax.errorbar(places, panel.scores, panel.errors, label=BARS, **bars)
        for value, mark, size, label in MARKS:
            at = list(panel.values).index(getattr(panel, value))
            ax.plot(at, panel.scores[at], mark, label=label, markersize=size, fillstyle="none")
        ax.set_xticks(places, [str(v) for v in panel.values], rotation=45, fontsize=7)
        ax.set_title(panel.name, fontsize=9)
        ax.tick_params(axis="y", labelsize=7)
    for ax in grid.flat[len(panels) :]:
        ax.set_axis_off()
    for row in grid:
        row[0].set_ylabel(f"{metric} on the network's grid", fontsize=8)
    handles, labels = grid.flat[0].get_legend_handles_labels()
    small = {"fontsize": 7, "title_fontsize": 7}
    figure.legend(handles, labels, **small, loc="outside lower center", ncols=3, title=NOTE)
    figure.savefig(path)
    return path
