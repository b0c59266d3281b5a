"""Planes and scatter pictures."""

import sys

import numpy as np
import pytest
from PIL import Image

from embedseg.viz.projection import lda_plane, pca_plane, to_plane
from embedseg.viz.scatter import plot_scatter

from .scenes import discs, embed


def _vectors(E=8):
    labels = discs(6, 64)
    inside = labels > 0
    return embed(labels, E=E)[:, inside], labels[inside]


@pytest.mark.parametrize("E", [2, 5, 16])
def test_planes_are_orthonormal_and_never_stretch(E):
    vectors, labels = _vectors(E)
    for plane in (pca_plane(vectors), lda_plane(vectors, labels)):
        np.testing.assert_allclose(plane.axes @ plane.axes.T, np.eye(2), atol=1e-9)
        flat = plane.project(vectors[:, :50])
        true = np.linalg.norm(vectors[:, :50] - vectors[:, :1], axis=0)
        assert (np.linalg.norm(flat - flat[:, :1], axis=0) <= true + 1e-6).all()


def test_lda_ignores_a_direction_of_mere_noise():
    rng = np.random.default_rng(0)
    labels = np.repeat([1, 2, 3], 200)
    vectors = rng.normal(0, [[20.0], [0.1], [0.1]], (3, 600))
    vectors[1] += labels
    vectors[2] += labels == 2
    assert np.abs(pca_plane(vectors).axes[0, 0]) > 0.99
    assert np.abs(lda_plane(vectors, labels).axes[:, 0]).max() < 0.05


def test_lda_of_one_instance_is_pca():
    vectors, _ = _vectors()
    one = np.ones(vectors.shape[1], int)
    np.testing.assert_array_equal(lda_plane(vectors, one).axes, pca_plane(vectors).axes)


def test_one_channel():
    vectors, labels = _vectors(1)
    assert lda_plane(vectors, labels).project(vectors).shape == (2, vectors.shape[1])


def test_tsne_keeps_instances_together():
    vectors, labels = _vectors()
    keep = np.random.default_rng(0).permutation(len(labels))[:240]
    points, ids = to_plane(vectors[:, keep], labels[keep], "tsne"), labels[keep]
    apart = np.linalg.norm(points[:, :, None] - points[:, None], axis=0)
    np.fill_diagonal(apart, np.inf)
    assert (ids[apart.argmin(1)] == ids).mean() > 0.95


def test_few_points_need_no_neighbours():
    assert to_plane(np.eye(4)[:, :2], np.array([1, 1]), "tsne").shape == (2, 2)
    assert to_plane(np.arange(12.0)[None], np.ones(12), "tsne").shape == (2, 12)


def test_bytes_of_labels_are_drawn(tmp_path):
    labels = discs(2, 32).astype(np.uint8)
    plot_scatter(tmp_path / "a.png", embed(labels), labels)
    assert (tmp_path / "a.png").stat().st_size > 5000


def test_unknown_method_and_absent_umap(monkeypatch):
    with pytest.raises(ValueError, match="did you mean 'tsne'"):
        to_plane(np.eye(3), np.ones(3), "tsn")
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(ValueError, match="pip install umap-learn"):
        to_plane(np.eye(3), np.ones(3), "umap")


@pytest.mark.parametrize("count", [0, 1, 100])
def test_scatter_of_any_number(tmp_path, count):
    labels = discs(count, 64)
    path = tmp_path / "s.png"
    plot_scatter(path, embed(labels), labels, method="lda", delta_v=0.5, max_points=500)
    assert np.asarray(Image.open(path).convert("L")).min() < 128
    assert [p.name for p in tmp_path.iterdir()] == ["s.png"]
