"""The landscape of tuning: one small curve for each value that was tried."""

from collections.abc import Sequence
from pathlib import Path
from textwrap import fill
from typing import Any, NamedTuple


class Landscape(NamedTuple):
    """The scores along one axis; `errors` are standard errors of the difference to the chosen."""

    name: str
    values: Sequence[Any]
    scores: Sequence[float]
    errors: Sequence[float]
    chosen: Any
    default: Any


def plot_landscape(panels: Sequence[Landscape], path: Path, *, metric: str, title: str) -> Path:
    """Draw a panel for each of `panels` into the PNG `path`; all share the scale of scores."""
    from matplotlib.figure import Figure

    columns = min(4, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(3.2 * columns, 2.6 * rows + 0.6), dpi=120, layout="constrained")
    figure.suptitle(fill(title, 34 * columns), fontsize=9)
    grid = figure.subplots(rows, columns, sharey=True, squeeze=False)
    for panel, ax in zip(panels, grid.flat, strict=False):
        places = list(range(len(panel.values)))
        ax.errorbar(places, panel.scores, panel.errors, color="0.4", capsize=2, linewidth=1)
        for value, mark, label in ((panel.default, "s", "untuned"), (panel.chosen, "o", "chosen")):
            at = list(panel.values).index(value)
            ax.plot(at, panel.scores[at], mark, label=label, markersize=7, fillstyle="none")
        ax.set_xticks(places, [str(v) for v in panel.values], rotation=45, fontsize=7)
        ax.set_title(panel.name, fontsize=9)
        ax.tick_params(axis="y", labelsize=7)
    for ax in grid.flat[len(panels) :]:
        ax.set_axis_off()
    for row in grid:
        row[0].set_ylabel(metric, fontsize=8)
    grid.flat[0].legend(fontsize=7)
    figure.savefig(path)
    return path
