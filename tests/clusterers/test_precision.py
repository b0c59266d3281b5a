"""Numbers of 64 bits: small differences of large ones count, and what is too large is told."""

import numpy as np
import pytest
import torch
from sklearn.metrics import adjusted_rand_score

from clustering import CLUSTERERS, DBSCAN, HDBSCAN, MeanShift, SpatialClustering
from clustering.density import SAMPLE_DBSCAN
from clustering.pixels import spread

TRUTH = np.repeat([0, 1, 2], 60)


def far_away():
    """Return points (180, 2) of three clusters half a unit apart, millions from 0."""
    noise = np.random.default_rng(0).normal(0, 0.3, (180, 2))
    return (np.array([[0, 0], [5, 0], [0, 5.0]])[TRUTH] + noise) / 10 + np.array([5e6, 4e5])


ESTIMATORS = [
    HDBSCAN(10, exact=True),
    HDBSCAN(10),
    DBSCAN(0.1, exact=True),
    DBSCAN(0.1),
    MeanShift(0.25),
    SpatialClustering(0.15),
]


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=str)
@pytest.mark.parametrize("place", [0, 180], ids=["first", "last"])
def test_a_point_elsewhere_does_not_cost_the_digits_of_the_others(estimator, place):
    X = far_away()
    alone = estimator.fit(X)
    wanted, centres = alone.labels_, alone.cluster_centers_
    assert adjusted_rand_score(TRUTH, wanted) > 0.9
    found = estimator.fit(np.insert(X, place, 0.0, axis=0))
    assert adjusted_rand_score(np.delete(found.labels_, place), wanted) == 1.0
    near = np.abs(found.cluster_centers_[:, None] - centres).max(2).min(0)
    assert near.max() < 0.02


@pytest.mark.parametrize("estimator", [HDBSCAN(10, exact=True), DBSCAN(0.1, exact=True)], ids=str)
def test_an_exact_run_takes_all_digits_wherever_the_points_lie(estimator):
    X = far_away()
    both = estimator.fit(np.concatenate([X, X - 1e7]))
    assert adjusted_rand_score(np.concatenate([TRUTH, TRUTH + 3]), both.labels_) > 0.9


def test_lists_and_objects_have_the_digits_of_arrays():
    X = far_away()
    wanted = MeanShift(0.25).fit(X)
    assert len(wanted.cluster_centers_) == 3
    for given in (X.tolist(), [tuple(row) for row in X.tolist()], X.astype(object)):
        found = MeanShift(0.25).fit(given)
        np.testing.assert_array_equal(found.labels_, wanted.labels_)
        np.testing.assert_array_equal(found.cluster_centers_, wanted.cluster_centers_)


def test_half_precision_stays_what_it_was():
    X = (far_away() - np.array([5e6, 4e5])).astype(np.float32)
    for kind in (torch.float16, torch.bfloat16, torch.float32):
        found = MeanShift(0.25).fit(torch.from_numpy(X).to(kind))
        assert found.cluster_centers_.dtype == torch.float32


@pytest.mark.parametrize("name", CLUSTERERS)
@pytest.mark.parametrize("large", [1e30, 1e300, 1.7e308])
def test_numbers_too_large_for_squares_are_called_so(name, large):
    X = np.random.default_rng(0).normal(size=(50, 2))
    X[3, 1], X[4, 1] = large, -large
    with pytest.raises(
        ValueError, match=r"coordinates are as large as 1.*, too large .*; divide them"
    ):
        CLUSTERERS[name]().fit(X)


@pytest.mark.parametrize("name", ["threshold", "hdbscan", "dbscan", "spatial"])
def test_numbers_of_32_bits_too_large_for_squares_are_called_so(name):
    X = np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32)
    X[3, 1] = 1e30
    for fit in (lambda e: e.fit(X), lambda e: e.fit_image(X.T, np.ones(50, bool))):
        with pytest.raises(ValueError, match=r"coordinates are as large as 1e\+30, too large"):
            fit(CLUSTERERS[name]())
    with pytest.raises(ValueError, match=r"NaN or infinity in 1 of 50 points; .*beyond float32"):
        CLUSTERERS[name]().fit_image(X.T.astype(float) * 1e20, np.ones(50, bool))


@pytest.mark.parametrize("estimator", [HDBSCAN(20), DBSCAN(0.5)], ids=str)
def test_a_sample_too_large_for_squares_is_no_noise(estimator):
    X = np.random.default_rng(0).normal(0, 1e25, (10_000, 3)).astype(np.float32)
    with pytest.raises(ValueError, match="too large for squared distances"):
        estimator.fit(X)


def test_nan_beside_a_sample_of_noise_is_told():
    X = np.arange(30_000, dtype=np.float32).reshape(10_000, 3) * 100
    X[np.setdiff1d(np.arange(len(X)), spread(len(X), SAMPLE_DBSCAN))[0]] = np.nan
    with pytest.raises(ValueError, match="NaN or infinity in 1 of 10000 points"):
        DBSCAN(0.5).fit_image(X.T[:, None], np.ones((1, len(X)), bool))


def test_clusters_too_large_for_squares_are_refused_where_a_sample_is_taken():
    rng = np.random.default_rng(0)
    X = np.repeat([-5e19, 5e19], 5000)[:, None] + rng.normal(0, 5e17, (10_000, 3))
    with pytest.raises(ValueError, match="too large for squared distances"):
        HDBSCAN(20).fit(X.astype(np.float32))
