"""Looking at embeddings: arrays in, pictures or one self-contained HTML file out."""

from embedseg.viz.colors import instance_colors, paint, palette
from embedseg.viz.compare import Verdict, compare, judge
from embedseg.viz.curves import plot_metrics
from embedseg.viz.overlay import overlay
from embedseg.viz.pca import PcaBasis, pca_rgb
from embedseg.viz.sheet import SheetRow, sample_sheet

__all__ = [
    "PcaBasis",
    "SheetRow",
    "Verdict",
    "compare",
    "instance_colors",
    "judge",
    "overlay",
    "paint",
    "palette",
    "pca_rgb",
    "plot_metrics",
    "sample_sheet",
]
