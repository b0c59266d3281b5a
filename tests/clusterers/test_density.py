"""HDBSCAN on its own spanning tree: the tree is scipy's, the labels are the library's."""

import hdbscan
import numpy as np
import pytest
from hdbscan._hdbscan_linkage import label
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial.distance import cdist
from sklearn.metrics import adjusted_rand_score

from clustering import DBSCAN, HDBSCAN
from clustering.spanning import single_linkage, spanning_tree
from tests.clusterers.blobs import image, points


def reachability(X, rank):
    """Return the mutual reachability (M, M) of points (M, E), by the book."""
    gaps = cdist(X, X)
    core = np.sort(gaps, axis=1)[:, rank]
    return np.maximum(gaps, np.maximum(core[:, None], core[None]))


@pytest.mark.parametrize("digits", [6, 0])  # 0: many distances are equal, some are none
@pytest.mark.parametrize(("count", "dims", "rank"), [(2, 3, 1), (60, 2, 59), (300, 5, 7)])
def test_the_spanning_tree_is_that_of_scipy(count, dims, rank, digits):
    X = np.random.default_rng(count).normal(size=(count, dims)).round(digits).astype(np.float32)
    gaps = reachability(X.astype(float), rank)
    edges = spanning_tree(X.T, rank)
    wanted = minimum_spanning_tree(np.where(gaps == 0, 1e-9, gaps)).data  # 0 is no edge there
    np.testing.assert_allclose(edges[:, 2], np.sort(wanted), rtol=1e-5, atol=1e-8)
    ends = edges[:, :2].astype(int)
    np.testing.assert_allclose(edges[:, 2], gaps[ends[:, 0], ends[:, 1]], rtol=1e-5)
    assert len(np.unique(ends)) == count
    assert single_linkage(edges)[-1, 3] == count  # all are joined: no edge closes a ring


def test_points_that_are_equal_have_no_distance():
    edges = spanning_tree(np.ones((3, 40), np.float32), 5)
    np.testing.assert_array_equal(edges[:, 2], 0)
    np.testing.assert_array_equal(np.sort(edges[:, 1]), np.arange(1, 40))


def test_the_dendrogram_is_that_of_the_library():
    X = np.random.default_rng(0).normal(size=(500, 2)).round(1).astype(np.float32)  # many ties
    edges = spanning_tree(X.T, 4)
    np.testing.assert_array_equal(single_linkage(edges), label(edges))


@pytest.mark.parametrize("method", ["eom", "leaf"])
@pytest.mark.parametrize("epsilon", [0.0, 0.3])
def test_labels_of_few_points_are_the_library_s(method, epsilon):
    options = {"cluster_selection_method": method, "cluster_selection_epsilon": epsilon}
    for seed in range(3):
        rng = np.random.default_rng(seed)
        X, _ = points(rng, [300, 200, 90], 3, gap=1.6, radius=1.2)
        X = np.concatenate([X, rng.uniform(-3, 6, (150, 3)).astype(np.float32)])
        library = hdbscan.HDBSCAN(15, min_samples=5, approx_min_span_tree=False, **options)
        wanted = library.fit_predict(X.astype(float))
        found = HDBSCAN(15, min_samples=5, **options).fit_predict(X)
        assert wanted.max() >= 1
        assert (wanted < 0).any()
        # many reaches are equal, as they are one point's core distance; their order is free
        assert found.max() == wanted.max()
        assert (found < 0)[wanted < 0].mean() > 0.98
        assert adjusted_rand_score(wanted, found) > 0.98


def test_many_pixels_are_the_exact_run_where_clusters_are_dense():
    embedding, labels = image(np.random.default_rng(1), (100, 120))
    embedding[:, 50, 5:110:5] += 60 + 20 * np.arange(21)  # alone, so noise
    mask = labels > 0
    fast, exact = (
        HDBSCAN(100, min_samples=10, exact=exact).fit_image(embedding, mask)
        for exact in (False, True)
    )
    noise, wanted = fast.labels_ < 0, exact.labels_ < 0
    assert wanted.sum() > 10
    assert noise[wanted].all()
    assert noise[~wanted].mean() < 0.01  # at rims
    assert adjusted_rand_score(exact.labels_[~noise], fast.labels_[~noise]) == 1.0


def test_a_cluster_too_small_for_the_sample_is_found_among_the_noise():
    X, truth = points(np.random.default_rng(2), [30_000, 20_000, 60], 5)
    labels = HDBSCAN(50, min_samples=10).fit_predict(X)
    assert (labels < 0).mean() < 0.005
    assert adjusted_rand_score(truth[labels >= 0], labels[labels >= 0]) == 1.0
    assert (labels[truth == 2] >= 0).mean() > 0.9


def test_a_sample_makes_no_clusters_of_few_points_of_noise():
    X, _ = points(np.random.default_rng(4), [9900, 9900], 2, gap=20)
    noise = np.random.default_rng(5).uniform(30, 90, (400, 2)).astype(np.float32)
    found = DBSCAN(0.8, min_samples=5).fit(np.concatenate([X, noise]))
    assert len(found.cluster_centers_) == 2
    assert (found.labels_[-400:] < 0).all()


@pytest.mark.parametrize("length", [400, 12_000])  # with and without a sample
@pytest.mark.parametrize("make", [DBSCAN(0.8, cluster_all=True), HDBSCAN(40, cluster_all=True)])
def test_noise_goes_to_the_nearest_cluster_and_not_to_the_nearest_mean(make, length):
    rng = np.random.default_rng(0)
    line = np.stack([np.linspace(0, 100, length), np.zeros(length)], 1)
    ball = np.array([122, 0]) + rng.uniform(-0.5, 0.5, (length // 4, 2))
    labels = make.fit_predict(np.concatenate([line, ball, [[101.5, 0]]]))
    assert len(make.cluster_centers_) == 2  # their means are at 50 and at 122
    assert labels[-1] == labels[length - 1] != labels[length]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cluster_selection_epsilon": -1.0}, "epsilon must be >= 0, got -1"),
        ({"cluster_selection_method": "elm"}, "must be 'eom' or 'leaf', got 'elm'"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        HDBSCAN(**options).fit(np.ones((50, 2)))


def test_a_bad_pixel_of_the_sample_is_refused():
    X, _ = points(np.random.default_rng(3), [3000], 3)
    X[::2, 1] = np.nan
    with pytest.raises(ValueError, match="NaN or infinity in 1500 of 3000 points"):
        HDBSCAN().fit_image(np.ascontiguousarray(X.T).reshape(3, 30, 100), np.ones((30, 100), bool))
