"""The explorer's file: small, whole, offline, and true to the embedding it was given."""

import base64
import json
import re
import zlib

import numpy as np
import pytest

from clustering import mean_shift, modes
from clustering.climbing import AFTER, STILL, STOP, TRACE, TRACES
from embedseg.viz import write_explorer
from embedseg.viz.explorer_data import (
    deflated,
    differences,
    pack,
    resize,
    resize_labels,
    shown_size,
)
from embedseg.viz.html import asset

from .scenes import discs, embed, photo


def _page(path, size=48, **changes):
    labels = discs(4, size)
    values = {
        "image": photo(labels),
        "embedding": embed(labels),
        "foreground": labels > 0,
        "labels": labels,
        "bandwidth": 1.0,
    } | changes
    return write_explorer(path / "e.html", **values)


def _blob(text, name):
    found = re.search(f'id="data-{name}">([^<]*)<', text)
    return zlib.decompress(base64.b64decode(found[1]))


def test_quantised_values_are_within_half_a_step():
    labels = discs(9)
    embedding = embed(labels, E=16)
    packed = pack(embedding, labels > 0)
    error = np.abs(packed.unpack() - embedding)[:, labels > 0]
    inside = (packed.planes > 0) & (packed.planes < 255)
    assert (error <= 0.5001 * packed.scale[:, None])[inside[:, labels > 0]].all()
    assert (packed.scale < 0.1).all() and inside[:, labels > 0].mean() > 0.999
    assert (packed.mask == (labels > 0)).all()


def test_an_outlier_does_not_spoil_the_range():
    labels = discs(9)
    embedding = embed(labels)
    before = pack(embedding, labels > 0).scale
    embedding[:, 64, 64] = 1e6
    assert (pack(embedding, labels > 0).scale < 1.05 * before).all()


def test_differences_are_undone_by_a_running_sum():
    planes = np.random.default_rng(0).integers(0, 256, (3, 5, 7)).astype(np.uint8)
    undone = np.cumsum(differences(planes), axis=-1, dtype=np.uint8)
    assert (undone == planes).all()
    assert zlib.decompress(base64.b64decode(deflated(planes))) == planes.tobytes()


def test_the_worst_512_page_is_below_8_mb(tmp_path):
    rng = np.random.default_rng(0)
    page = write_explorer(
        tmp_path / "noise.html",
        rng.integers(0, 256, (512, 512, 3)).astype(np.uint8),
        rng.normal(size=(16, 512, 512)).astype(np.float32),
        np.ones((512, 512)),
        rng.integers(0, 300, (512, 512)),
        bandwidth=1.0,
    )
    assert page.stat().st_size <= 8e6


def test_large_embeddings_are_thinned_out_and_large_images_shrunk():
    packed = pack(np.zeros((32, 640, 512), np.float32), np.ones((640, 512)))
    assert packed.planes.shape == (32, 320, 256)
    assert shown_size((3000, 1500)) == (2048, 1024) and shown_size((40, 30)) == (40, 30)
    labels = np.arange(12).reshape(3, 4)
    assert resize_labels(labels, (6, 8)).tolist()[1][:4] == [0, 0, 1, 1]
    assert resize(np.ones((4, 4)), (2, 8)).shape == (2, 8)


def test_the_page_is_whole_and_offline(tmp_path):
    page = _page(tmp_path, name="a <b> $x", links={"›": "next one.html"}, scores={1: 0.5})
    text = page.read_text()
    assert not re.search(r"https?://", text)
    assert "<title>a &lt;b&gt; $x</title>" in text and 'href="next%20one.html"' in text
    info = json.loads(re.search(r'id="info">(.*?)</script>', text, re.S)[1])
    assert info["name"] == "a <b> $x" and info["scores"] == {"1": 0.5}
    assert info["size"] == info["grid"] == [48, 48] and len(info["palette"]) == 6 * 320
    labels = np.frombuffer(_blob(text, "labels"), np.int32).reshape(48, 48)
    assert (labels == discs(4, 48)).all()
    assert [p.name for p in tmp_path.iterdir()] == ["e.html"]


@pytest.mark.parametrize("count", [0, 1])
def test_no_and_one_instance(tmp_path, count):
    labels = discs(count, 48)
    values = {"labels": labels, "foreground": labels > 0, "embedding": embed(labels, E=1)}
    text = _page(tmp_path, **values).read_text()
    assert "LDA" not in json.loads(re.search(r'id="info">(.*?)</script>', text, re.S)[1])["planes"]


def test_refusals(tmp_path):
    with pytest.raises(ValueError, match="uint8"):
        _page(tmp_path, image=np.zeros((48, 48, 3)))
    with pytest.raises(ValueError, match="truth must have the image's size"):
        _page(tmp_path, truth=np.zeros((3, 3), int))
    with pytest.raises(ValueError, match="finite"):
        _page(tmp_path, embedding=np.full((2, 48, 48), np.nan))
    assert not list(tmp_path.iterdir())


def test_javascript_clusters_with_the_constants_of_python():
    code = asset("explorer_cluster.js")
    found = {k: float(v) for k, v in re.findall(r"\b([A-Z_]{3,}): ([\d.e-]+)", code)}
    python = {"STOP": STOP, "STILL": STILL, "TRACE": TRACE, "AFTER": AFTER, "TRACES": TRACES}
    python |= {
        name: getattr(mean_shift, name) for name in ("AWAY", "TURNS", "PER_MODE", "RUN", "FIRST")
    }
    names = ("FAR", "TRUST", "PROBE", "ROOM", "SMALL", "SHARE", "PLENTY")
    python |= {name: getattr(modes, name) for name in names}
    assert {name: found[name] for name in python} == python
    sizes = json.loads(re.search(r"SAMPLES: (\[\[.*?\]\])", code)[1])
    assert [tuple(size) for size in sizes] == [tuple(size) for size in modes.SAMPLES]
