"""Summary and results pages: whole, escaped, offline."""

import re
from html.parser import HTMLParser

import numpy as np

from embedseg.training.options import EPILOG
from embedseg.training.run_folder import Metrics
from embedseg.viz import SummaryRow, plot_metrics, write_results_page, write_summary_page
from embedseg.viz.html import number

from .scenes import discs, photo

VOID = {"meta", "img", "link", "br", "input"}


class Balance(HTMLParser):
    """Checks that tags close in order, and gathers addresses."""

    def __init__(self):
        super().__init__()
        self.open, self.addresses = [], []

    def handle_starttag(self, tag, attrs):
        self.addresses += [v for k, v in attrs if k in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def checked(text):
    parser = Balance()
    parser.feed(text)
    assert parser.open == []
    assert not re.search(r"https?://", text)
    return parser.addresses


def test_summary_is_one_file_with_links_beside_it(tmp_path):
    labels = discs(4, 64)
    rows = [
        SummaryRow("a <b> & c", photo(labels), {"labels": "x y#1.tif"}, {"SBD": 0.9, "n": 4}),
        SummaryRow("empty", None, {}, {"SBD": float("nan"), "n": 0}),
    ]
    figures = [("f", photo(labels))]
    path = write_summary_page(
        tmp_path / "new", rows, title="T<1>", intro="i", facts={"SBD": 0.9}, figures=figures
    )
    text = path.read_text()
    addresses = checked(text)
    assert "T&lt;1&gt;" in text and "a &lt;b&gt; &amp; c" in text
    assert "x%20y%231.tif" in addresses
    assert all(a.startswith("data:image/jpeg") or a == "x%20y%231.tif" for a in addresses)
    assert [p.name for p in path.parent.iterdir()] == ["index.html"]


def test_links_of_a_card_may_be_set_on_several_lines(tmp_path):
    links = {"explore": "a.html", "overlay": "a_overlay.png"}
    text = write_summary_page(tmp_path, [SummaryRow("a", None, links, {})], title="t").read_text()
    assert '>explore</a> <a href="a_overlay.png">' in text


def test_summary_of_nothing(tmp_path):
    checked(write_summary_page(tmp_path, [], title="nothing").read_text())


def test_results_page_grows_with_the_run(tmp_path):
    page = write_results_page(tmp_path, epochs=3)
    assert 'http-equiv="refresh" content="5"' in page.read_text()
    (tmp_path / "metrics.csv").write_text(
        "epoch,loss,val_sbd,val_abs_dic\n1,3,,\n2,1,0.5,4\n3,2,0.4,2\n"
    )
    plot_metrics(tmp_path / "metrics.csv", tmp_path / "results.png")
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples" / "epoch_0002.png").write_bytes(b"")
    text = write_results_page(tmp_path, epochs=3, finished=True).read_text()
    addresses = [a.split("?")[0] for a in checked(text)]
    assert addresses == ["results.png", "samples/epoch_0002.png"]
    assert "refresh" not in text and "finished · epoch 3 of 3" in text
    assert "best sbd, epoch 2" in text and "best abs_dic, epoch 3" in text
    assert "best loss, epoch 2" in text


def test_numbers():
    assert [number(v) for v in (0.5, 12, None, float("nan"), 1e-7, 0.0, 12345.6, "<")] == [
        "0.500", "12", "–", "–", "1e-07", "0.000", "1.23e+04", "&lt;",
    ]  # fmt: skip
    assert number(float(np.float32(0.25))) == "0.250"


def test_the_live_page_is_written_anew_each_epoch(tmp_path):
    metrics = Metrics(tmp_path, epochs=2)
    metrics.add({"epoch": 1, "loss": 3.0}, finished=False)
    first = (tmp_path / "results.html").read_text()
    metrics.add({"epoch": 2, "loss": 2.0}, finished=True)
    last = (tmp_path / "results.html").read_text()
    assert "epoch 1 of 2" in first and 'http-equiv="refresh"' in first
    assert "epoch 2 of 2" in last and 'http-equiv="refresh"' not in last
    assert "results.html" in EPILOG and "reloads itself" in EPILOG
