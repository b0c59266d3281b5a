"""The picture of a tuning says which scores it shows."""

from matplotlib.figure import Figure

from embedseg.viz.tuning import Landscape, plot_landscape

PANELS = [
    Landscape("bandwidth", (0.6, 1.0), (0.73, 0.69), (0.0, 0.01), 0.6, 1.0),
    Landscape("min_size", (8, 16), (0.72, 0.73), (0.01, 0.0), 16, 16),
]


def drawn(tmp_path, monkeypatch):
    """Return the figure that is saved."""
    kept = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_: kept.append(figure))
    plot_landscape(PANELS, tmp_path / "a.png", metric="sbd", title="sbd 0.7060 -> 0.7470")
    return kept[0]


def test_the_scales_of_heading_and_curves_are_named(tmp_path, monkeypatch):
    figure = drawn(tmp_path, monkeypatch)
    assert figure.axes[0].get_ylabel() == "sbd on the network's grid"
    note = figure.legends[0].get_title().get_text()
    assert "in the heading: at the images' own size" in note and "curves: on the network's" in note


def test_no_mark_is_called_untuned(tmp_path, monkeypatch):
    """The square of an axis that did not move lies on the choice, not on the untuned score."""
    figure = drawn(tmp_path, monkeypatch)
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert words[:2] == ["where the search began (other values as chosen)", "chosen"]
    heights = [
        {line.get_label(): line.get_ydata()[0] for line in ax.lines if line.get_label() in words}
        for ax in figure.axes
    ]
    assert [list(of.values()) for of in heights] == [[0.69, 0.73], [0.73, 0.73]]
