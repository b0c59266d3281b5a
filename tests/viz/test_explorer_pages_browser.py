"""Explorers unlike the usual one: of nothing, of a model without mean-shift, of a coarse grid."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from embedseg.viz import write_explorer

from .explorer_page import at_pixel, labels_of, show, text
from .scenes import discs, embed, photo

pytestmark = pytest.mark.browser

TRUTH = discs(9, 96)
LABELS = np.where(TRUTH == 2, 1, TRUTH)  # a prediction that merged 1 and 2
EMBEDDING = embed(TRUTH, E=8, distance=0.9, spread=0.06)


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_to_see(browser, tmp_path, count):
    labels = discs(count, 40)
    path = write_explorer(
        tmp_path / "e.html", photo(labels), embed(labels, E=2), labels > 0, labels, bandwidth=1.0
    )
    show(browser, path)
    assert text(browser, "#count") == str(count)
    for key in "1234567":
        browser.key(key)
    browser.key("]")
    browser.hover(*at_pixel(browser, 3, 3))
    assert text(browser, "#count") == str(count)
    assert browser.errors == []


def test_a_model_without_mean_shift_has_no_slider(browser, tmp_path):
    path = write_explorer(
        tmp_path / "e.html", photo(TRUTH), EMBEDDING, TRUTH > 0, LABELS, TRUTH, bandwidth=None
    )
    show(browser, path)
    assert "andwidth" not in text(browser, "main")
    browser.press("#help-open")
    assert "andwidth" not in text(browser, "#help") and "delta_v" not in text(browser, "#help")
    browser.run("document.querySelector('#help').close()")
    for key in "[]":
        browser.key(key)
    for place in ((9, 9), (60, 40)):
        browser.click(*at_pixel(browser, *place))
    assert "A–B" in text(browser, "#readout") and "andwidth" not in text(browser, "#readout")
    np.testing.assert_array_equal(labels_of(browser), LABELS)
    assert browser.errors == []


def test_grid_coarser_than_the_image(browser, tmp_path):
    embedding = EMBEDDING[:, ::3, ::3]
    path = write_explorer(
        tmp_path / "e.html", photo(TRUTH), embedding, TRUTH > 0, LABELS, TRUTH, bandwidth=1.0
    )
    show(browser, path)
    browser.run("explorer.recluster(1.0)")
    labels = labels_of(browser)
    assert ((labels > 0) == (TRUTH > 0)).mean() > 0.98 and (labels[TRUTH == 0] == 0).all()
    assert adjusted_rand_score(labels[TRUTH > 0], TRUTH[TRUTH > 0]) > 0.9
    assert browser.errors == []
