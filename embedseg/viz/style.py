"""One look for all figures, drawn without a display and without pyplot's global state."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from embedseg.io import atomic_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STYLE = Path(__file__).with_name("embedseg.mplstyle")
TEXT = "#52585F"


@contextmanager
def figure(path: str | Path, width: float, height: float) -> Iterator["Figure"]:
    """Yield an empty figure of `width` x `height` inches and save it to `path` (PNG) at the end.

    The file appears whole or not at all: it is written under another name and renamed.
    """
    from matplotlib import style  # slow to import: only who draws pays
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    with style.context(STYLE):
        fig = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.12))
        FigureCanvasAgg(fig)
        yield fig
        with atomic_path(path) as temporary:
            fig.savefig(temporary, format="png")


def say(fig: "Figure", text: str) -> None:
    """Write into the middle of a figure why nothing is drawn."""
    fig.text(0.5, 0.5, text, ha="center", va="center", color=TEXT)
