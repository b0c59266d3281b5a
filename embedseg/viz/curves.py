"""Training curves: each term of the loss, validation scores and learning rate, from metrics.csv."""

import math
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from embedseg.io import read_rows
from embedseg.viz.arrays import Array, Floats
from embedseg.viz.style import figure, say

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Columns = dict[str, Floats]

_TIME = ("seconds", "time", "step")  # bookkeeping, not drawn
_DECADES = 0.8  # a spread of losses above this many decades is drawn on a logarithmic axis
_COUNTS = {"dic", "loss", "count", "error", "instances"}  # words of figures that are no scores
_PANEL = (3.7, 2.8)  # inches
_LABEL_GAP = 0.075  # least distance between two names at line ends, as a share of the height


def plot_metrics(csv_path: str | Path, png_path: str | Path) -> None:
    """Draw the table of a run: one row per epoch, any numeric columns beside `epoch`.

    Panels: training losses (every column that is nothing else), validation scores (`val_*`
    within 0..1), other validation figures (`val_*` beyond), learning rate (`lr*`). Absent
    columns, empty cells and NaN leave gaps; a table without rows gives a picture that says so.
    """
    epochs, columns = read_metrics(csv_path)
    panels = _panels(columns)
    width = _PANEL[0] * max(1, len(panels))
    with figure(png_path, width, _PANEL[1]) as fig:
        if not panels:
            say(fig, "no finished epoch yet")
            return
        axes = fig.subplots(1, len(panels), squeeze=False)[0]
        for axis, (title, names) in zip(axes, panels.items(), strict=True):
            _draw(axis, title, epochs, {name: columns[name] for name in names})


def read_metrics(csv_path: str | Path) -> tuple[Floats, Columns]:
    """Epochs (T,) and numeric columns (T,) of a metrics table; what is no number becomes NaN."""
    _, rows = read_rows(csv_path)
    names = [name for name in (rows[0] if rows else {}) if name]
    table = {n: np.array([_number(row.get(n)) for row in rows]) for n in names}
    epochs = table.pop("epoch", np.arange(1.0, len(rows) + 1))
    epochs = np.where(np.isfinite(epochs), epochs, np.arange(1.0, len(rows) + 1))
    drawn = {n: c for n, c in table.items() if np.isfinite(c).any() and n not in _TIME}
    return epochs, drawn


def _number(text: str | None) -> float:
    try:
        value = float(text or "nan")
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


def _panels(columns: Columns) -> dict[str, list[str]]:
    """Column names by panel title, empty panels left out."""
    panels: dict[str, list[str]] = {
        "Training loss": [], "Validation scores": [], "Validation, other": [], "Learning rate": []
    }  # fmt: skip
    for name, values in columns.items():
        if name.startswith("val_"):
            inside = np.nanmin(values) >= 0 and np.nanmax(values) <= 1
            counts = not _COUNTS.isdisjoint(name.split("_"))
            panels["Validation scores" if inside and not counts else "Validation, other"].append(
                name
            )
        elif name == "lr" or name.startswith("lr_"):
            panels["Learning rate"].append(name)
        else:
            panels["Training loss"].append(name)
    return {title: names for title, names in panels.items() if names}


def _draw(axis: "Axes", title: str, epochs: Array, columns: Columns) -> None:
    axis.set_title(title)
    axis.set_xlabel("epoch")
    for name, values in columns.items():
        known = np.isfinite(values)
        marker = "o" if known.sum() < 3 else None
        axis.plot(epochs[known], values[known], marker=marker, markersize=3, label=name)
    if title == "Training loss" and _wide(columns):
        axis.set_yscale("log")
    elif title == "Validation scores":
        axis.set_ylim(0, 1.02)
    elif title == "Learning rate":
        axis.yaxis.set_major_formatter("{x:g}")
    axis.locator_params(axis="x", integer=True)
    _name_lines(axis)


def _wide(columns: Columns) -> bool:
    """Whether positive values spread over decades."""
    values = np.concatenate([c[np.isfinite(c) & (c > 0)] for c in columns.values()])
    lowest = np.concatenate([c[np.isfinite(c)] for c in columns.values()]).min()
    return bool(values.size and lowest >= 0 and np.log10(values.max() / values.min()) > _DECADES)


def _name_lines(axis: "Axes") -> None:
    """Write each line's name and last value beside its end, apart from the others."""
    axis.autoscale_view()  # the limits, which the data's place on the axis depends on
    to_share = axis.transData + axis.transAxes.inverted()
    ends = [np.asarray(line.get_xydata())[-1] for line in axis.get_lines()]
    heights = [float(to_share.transform(end)[1]) for end in ends]
    wanted = [y if math.isfinite(y) else 0.0 for y in heights]
    for line, end, height in zip(axis.get_lines(), ends, _spread(wanted), strict=True):
        name = str(line.get_label()).removeprefix("val_")
        axis.annotate(
            f"{name} {end[1]:.3g}", (1.02, height), xycoords="axes fraction", va="center",
            color=line.get_color(), fontsize=8, annotation_clip=False,
        )  # fmt: skip


def _spread(heights: list[float]) -> list[float]:
    """Move heights apart to at least `_LABEL_GAP`, keeping their order, around the same middle."""
    order = np.argsort(heights, kind="stable")
    placed = np.array(heights, float)
    for below, above in pairwise(order):
        placed[above] = max(placed[above], placed[below] + _LABEL_GAP)
    overflow = max(0.0, placed.max(initial=0) - 1)
    placed -= overflow
    return [float(y) for y in placed]
