"""The gallery's pictures in the explorer, light and dark; the index and live pages in a browser."""

import pytest

from embedseg.inference.core import core_pixels
from embedseg.viz import (
    SheetRow,
    SummaryRow,
    overlay,
    plot_metrics,
    write_explorer,
    write_results_page,
    write_sample_sheet,
    write_summary_page,
)

from .explorer_page import at_pixel, show, text
from .gallery import GALLERY

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("name", GALLERY)
def test_explorer_of(name, browser, tmp_path, artifacts):
    scene = GALLERY[name]()
    if scene is None:
        pytest.skip("no real data here; set EMBEDSEG_DATA")
    path = write_explorer(
        tmp_path / "e.html", scene.image, scene.embedding, scene.foreground, scene.labels,
        scene.truth, bandwidth=1.0, name=name, min_size=16, min_points=10,
        core=core_pixels(scene.embedding, scene.foreground >= 0.5, 0.4),
    )  # fmt: skip
    assert path.stat().st_size <= 8e6
    show(browser, path)
    count = len(set(scene.labels[scene.labels > 0].tolist()))
    assert int(text(browser, "#count")) == count
    browser.screenshot(artifacts / f"page {name}.png")
    browser.dark(True)
    browser.key("5")
    height, width = scene.labels.shape
    browser.hover(*at_pixel(browser, width // 2, height // 2))
    browser.screenshot(artifacts / f"page {name} dark.png")
    browser.dark(False)
    browser.run("explorer.recluster(explorer.bandwidth)")
    true = len(set(scene.truth[scene.truth > 0].tolist()))
    assert abs(int(text(browser, "#count")) - true) <= 1 + 0.1 * true
    assert browser.errors == []


def test_index_and_live_page(browser, tmp_path, artifacts):
    scene = GALLERY["generated plant"]()
    small = overlay(scene.image, scene.labels)
    rows = [SummaryRow(f"plant {k}", small, {"explore": "a.html"}, {"SBD": 0.9}) for k in range(5)]
    index = write_summary_page(tmp_path, rows, title="leaves on 5 images", intro="Click.")
    lines = [f"{k},{3 / k},{2 / k},{1 - 1 / k}" for k in range(1, 9)]
    (tmp_path / "metrics.csv").write_text("epoch,loss,pull,val_sbd\n" + "\n".join(lines))
    plot_metrics(tmp_path / "metrics.csv", tmp_path / "results.png")
    row = SheetRow(scene.image, "a", scene.truth, scene.labels, scene.embedding, scene.foreground)
    write_sample_sheet(tmp_path / "samples" / "epoch_0008.png", [row])
    live = write_results_page(tmp_path, epochs=8, finished=True)
    for name, page in {"index": index, "live": live}.items():
        for dark in (False, True):
            browser.errors.clear()
            browser.resize(1280, 720)
            browser.dark(dark)
            browser.open(page)
            browser.frame()
            browser.screenshot(artifacts / f"{name}{' dark' * dark}.png")
            assert browser.run("[...document.images].every((i) => i.naturalWidth > 0)")
            assert browser.errors == []
    browser.dark(False)
    browser.press("thead th:nth-child(2) button")
    assert browser.run("document.querySelector('tbody td').dataset.value") == "8"
