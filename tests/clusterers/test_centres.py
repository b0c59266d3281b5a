"""Clusters at the peaks of a map: found beside large neighbours, once each, else as mean-shift."""

import numpy as np
import pytest
import torch

from clustering import CentreClustering, MeanShift, centres
from clustering.centres import apart, vectors_at_peaks


def scene(gap: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return embedding, mask, map of centres and truth: a large and a small disc `gap` apart."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:60, :90]
    truth = np.zeros((60, 90), np.int32)
    truth[np.hypot(rows - 30, columns - 30) < 25] = 1
    truth[np.hypot(rows - 30, columns - 64) < 6] = 2
    means = np.zeros((3, 4), np.float32)
    means[1, 0], means[2, 0] = 1.0, 1.0 + gap
    embedding = means[truth].transpose(2, 0, 1) + rng.normal(0, 0.2, (4, 60, 90))
    heat = np.exp(-((rows - 30) ** 2 + (columns - 30) ** 2) / 200)
    heat = np.maximum(heat, 0.5 * np.exp(-((rows - 30) ** 2 + (columns - 64) ** 2) / 8))
    heat = (heat * (truth > 0)).astype(np.float32)
    return embedding.astype(np.float32), truth > 0, heat, truth


def test_a_small_neighbour_that_density_hides_is_found():
    embedding, mask, heat, truth = scene(gap=1.1)
    plain = MeanShift(bandwidth=1.0).fit_image(embedding, mask)
    found = CentreClustering(bandwidth=1.0).fit_image(embedding, mask, centre=heat)
    assert len(plain.cluster_centers_) == 1
    assert len(found.cluster_centers_) == 2
    assert (found.labels_ + 1 == truth[mask]).mean() > 0.95
    assert np.abs(found.cluster_centers_[:, 0] - [1.0, 2.1]).max() < 0.1
    assert found.labels_.dtype == np.int32


def test_two_peaks_of_one_object_found_one_cluster():
    embedding, mask, heat, _ = scene(gap=3.0)
    heat[30, 45] = 0.9  # a second peak inside the large disc
    found = CentreClustering(bandwidth=1.0).fit_image(embedding, mask, centre=heat)
    assert len(found.cluster_centers_) == 2


@pytest.mark.parametrize("threshold", [0.2, 0.6, 0.99])
def test_low_peaks_do_not_count(threshold):
    embedding, mask, heat, _ = scene(gap=1.1)
    clusterer = CentreClustering(bandwidth=1.0, threshold=threshold)
    found = clusterer.fit_image(embedding, mask, centre=heat)
    assert len(found.cluster_centers_) == (2 if threshold < 0.5 else 1)


def test_without_map_or_peak_it_is_mean_shift():
    embedding, mask, heat, _ = scene(gap=3.0)
    points = embedding[:, mask].T
    expected = MeanShift(bandwidth=1.0).fit(points).labels_
    clusterer = CentreClustering(bandwidth=1.0)
    np.testing.assert_array_equal(clusterer.fit(points).labels_, expected)
    np.testing.assert_array_equal(clusterer.fit_image(embedding, mask).labels_, expected)
    flat = clusterer.fit_image(embedding, mask, centre=0 * heat).labels_
    np.testing.assert_array_equal(flat, expected)


def test_a_map_is_forgotten_after_its_fit():
    embedding, mask, heat, _ = scene(gap=1.1)
    clusterer = CentreClustering(bandwidth=1.0)
    assert len(clusterer.fit_image(embedding, mask, centre=heat).cluster_centers_) == 2
    assert len(clusterer.fit(embedding[:, mask].T).cluster_centers_) == 1


def test_peaks_may_lie_outside_the_mask_and_tensors_come_back_as_tensors():
    embedding, mask, heat, truth = scene(gap=3.0)
    mask = mask & (np.hypot(*(np.mgrid[:60, :90] - np.array([30, 64])[:, None, None])) > 2)
    maps = torch.from_numpy(heat)
    found = CentreClustering(bandwidth=1.0).fit_image(
        torch.from_numpy(embedding), torch.from_numpy(mask), centre=maps
    )
    assert isinstance(found.labels_, torch.Tensor)
    assert (found.labels_.numpy() + 1 == truth[mask]).mean() > 0.99


def test_volumes():
    embedding, mask, heat, truth = (np.stack([a] * 5, -1) for a in scene(gap=3.0))
    heat = heat * np.array([0.2, 0.5, 1.0, 0.5, 0.2], np.float32)
    found = CentreClustering(bandwidth=1.0).fit_image(embedding, mask, centre=heat)
    assert (found.labels_ + 1 == truth[mask]).mean() > 0.99


def test_vectors_at_peaks_come_highest_first_from_where_the_map_is():
    embedding = np.zeros((1, 20, 20), np.float32)
    embedding[0, 4:7, 4:7], embedding[0, 14, 14] = 2.0, 5.0
    heat = np.zeros((20, 20), np.float32)
    heat[4:7, 4:7], heat[5, 5], heat[14, 14] = 0.3, 0.4, 0.9
    np.testing.assert_array_equal(vectors_at_peaks(embedding, heat, 0.1)[:, 0], [5.0, 2.0])
    np.testing.assert_array_equal(vectors_at_peaks(embedding, heat, 0.5)[:, 0], [5.0])
    assert vectors_at_peaks(embedding, 0 * heat, 0.0).shape == (0, 1)
    with pytest.raises(ValueError, match="does not fit an embedding"):
        vectors_at_peaks(embedding, heat[1:], 0.1)


def test_vectors_of_all_peaks_are_fetched_at_once(monkeypatch):
    """Each fetch from a GPU waits for it, and a crowded picture has hundreds of peaks."""
    rng = np.random.default_rng(3)
    embedding = torch.from_numpy(rng.normal(size=(4, 60, 90)).astype(np.float32))
    heat = rng.random((60, 90))
    fetched = []
    fetch = centres.plain_floats
    monkeypatch.setattr(centres, "plain_floats", lambda v: fetched.append(v) or fetch(v))
    assert len(vectors_at_peaks(embedding, heat, 0.3)) > 100
    assert len(fetched) == 1


def test_vectors_apart():
    vectors = np.array([[0.0], [0.5], [1.5], [1.0], [2.4]], np.float32)
    np.testing.assert_array_equal(apart(vectors, 1.0)[:, 0], [0.0, 1.5])
    assert apart(vectors[:0], 1.0).shape == (0, 1)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_peak_beside_numbers_that_are_masked_out_sees_0_there(bad):
    embedding, mask, heat, _ = scene(gap=3.0)
    mask[30, 30:32] = False  # of the peak of the large disc
    fits = [
        CentreClustering(bandwidth=1.0).fit_image(np.where(mask, embedding, v), mask, centre=heat)
        for v in (0.0, bad)
    ]
    assert len(fits[0].cluster_centers_) == 2
    np.testing.assert_array_equal(fits[1].labels_, fits[0].labels_)


def test_clusters_at_peaks_have_min_points():
    embedding, mask, heat, truth = scene(gap=3.0)
    small = np.count_nonzero(truth == 2)
    for least, clusters in ((None, 2), (small // 2, 2), (small + 1, 1), (mask.sum(), 0)):
        fitted = CentreClustering(bandwidth=1.0, min_points=least)
        fitted.fit_image(embedding, mask, centre=heat)
        assert len(fitted.cluster_centers_) == clusters
        np.testing.assert_array_equal(np.unique(fitted.labels_), np.arange(clusters) if clusters
                                      else [-1])  # fmt: skip
    assert fitted.min_points_ == mask.sum()


def test_kernel_and_border_step_are_of_the_search_without_peaks():
    embedding, mask, heat, _ = scene(gap=3.0)
    plain = CentreClustering(bandwidth=1.0).fit_image(embedding, mask, centre=heat)
    other = CentreClustering(bandwidth=1.0, kernel="gaussian", border_step=0.0)
    other.fit_image(embedding, mask, centre=heat)
    np.testing.assert_array_equal(other.labels_, plain.labels_)
    for word in ("kernel, border_step", "no peak"):
        assert word in CentreClustering.__doc__


def test_wrong_parameters():
    embedding, mask, heat, _ = scene(gap=3.0)
    with pytest.raises(ValueError, match=r"threshold must be in \[0, 1\), got 1\.5"):
        CentreClustering(threshold=1.5).fit_image(embedding, mask, centre=heat)
