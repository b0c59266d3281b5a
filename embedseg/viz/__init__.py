"""Looking at embeddings: arrays in, pictures or one self-contained HTML file out."""

from embedseg.viz.colors import instance_colors, paint, palette
from embedseg.viz.compare import Verdict, compare, judge
from embedseg.viz.curves import plot_metrics
from embedseg.viz.drawings import drawings
from embedseg.viz.explorer import write_explorer
from embedseg.viz.lanes import lane_overlay
from embedseg.viz.maps import distance_map, heat_picture, margin_map, margin_picture
from embedseg.viz.overlay import overlay
from embedseg.viz.pca import PcaBasis, pca_rgb
from embedseg.viz.results import write_results_page
from embedseg.viz.scatter import plot_scatter
from embedseg.viz.sheet import SheetRow, sample_sheet, write_sample_sheet
from embedseg.viz.summary import SummaryRow, write_summary_page

__all__ = [
    "PcaBasis",
    "SheetRow",
    "SummaryRow",
    "Verdict",
    "compare",
    "distance_map",
    "drawings",
    "heat_picture",
    "instance_colors",
    "judge",
    "lane_overlay",
    "margin_map",
    "margin_picture",
    "overlay",
    "paint",
    "palette",
    "pca_rgb",
    "plot_metrics",
    "plot_scatter",
    "sample_sheet",
    "write_explorer",
    "write_results_page",
    "write_sample_sheet",
    "write_summary_page",
]
