"""Properties of the clusterers with a bandwidth or radius: blobs are found however they lie."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score

from clustering import DBSCAN, MeanShift, ThresholdClustering
from tests.clusterers.blobs import points, rotation

MAKERS = [
    lambda b: MeanShift(b, min_points=5),
    lambda b: MeanShift(b, kernel="gaussian", min_points=5),
    lambda b: ThresholdClustering(b, min_points=5),
    lambda b: DBSCAN(0.6 * b, min_samples=5),
]
few = settings(max_examples=8, deadline=None)


@pytest.mark.parametrize("make", MAKERS)
@few
@given(
    seed=st.integers(0, 10_000),
    dims=st.integers(1, 64),
    sizes=st.lists(st.integers(20, 400), min_size=1, max_size=6),
    scale=st.sampled_from([1e-3, 1.0, 1e3]),
    copies=st.integers(1, 3),
)
def test_blobs_are_found_turned_moved_scaled_and_doubled(make, seed, dims, sizes, scale, copies):
    rng = np.random.default_rng(seed)
    X, truth = (np.repeat(given, copies, axis=0) for given in points(rng, sizes, dims))
    X = (scale * (X @ rotation(rng, dims) + rng.uniform(-5, 5, dims))).astype(np.float32)
    found = make(1.5 * scale).fit(X)
    assert len(found.cluster_centers_) == len(sizes)
    assert adjusted_rand_score(truth, found.labels_) == 1.0


@pytest.mark.parametrize("make", MAKERS[:3])  # DBSCAN's takes seconds
@few
@given(seed=st.integers(0, 10_000))
def test_order_of_points_does_not_change_the_partition(make, seed):
    rng = np.random.default_rng(seed)
    X, _ = points(rng, [3000, 900, 60], 6)
    order = rng.permutation(len(X))
    assert (
        adjusted_rand_score(make(1.5).fit_predict(X)[order], make(1.5).fit_predict(X[order])) == 1
    )


@few
@given(seed=st.integers(0, 10_000), size=st.integers(10, 40))
def test_a_cluster_of_min_points_among_many_pixels_is_found(seed, size):
    rng = np.random.default_rng(seed)
    X, truth = points(rng, [20_000, 9_000, size], 5)
    found = MeanShift(1.5, min_points=10).fit(X)
    assert len(found.cluster_centers_) == 3
    assert adjusted_rand_score(truth, found.labels_) == 1.0


@pytest.mark.parametrize(
    ("count", "find"),
    [
        (2500, MeanShift(1.0, min_points=1)),
        (1500, ThresholdClustering(1.0)),
        (4500, ThresholdClustering(1.0, exact=True)),
    ],
)
def test_there_may_be_thousands_of_clusters(count, find):
    side = np.arange(5.0 * np.ceil(count**0.5), step=5)
    X = np.stack(np.meshgrid(side, side), -1).reshape(-1, 2)[:count]
    assert len(find.fit(X).cluster_centers_) == count
    assert len(np.unique(find.labels_)) == count


@pytest.mark.parametrize("scale", [1e-2, 1.0, 1e2])
def test_a_bandwidth_that_is_not_given_is_of_the_scale_of_the_points(scale):
    X, truth = points(np.random.default_rng(0), [400, 400, 400], 3, gap=8)
    found = MeanShift().fit(scale * X)
    assert adjusted_rand_score(truth, found.labels_) == 1.0


def test_fewer_than_min_points_are_no_cluster():
    X, truth = points(np.random.default_rng(0), [20_000, 9], 5)
    found = MeanShift(1.5, min_points=10, cluster_all=False).fit(X)
    assert len(found.cluster_centers_) == 1
    np.testing.assert_array_equal(found.labels_, np.where(truth == 0, 0, -1))


@pytest.mark.parametrize("make", [lambda b: MeanShift(b, min_points=1), ThresholdClustering])
def test_one_point_and_equal_points_are_one_cluster(make):
    for X in (np.ones((1, 3), np.float32), np.full((5000, 3), 2.5, np.float32)):
        found = make(1.5).fit(X)
        assert (found.labels_ == 0).all()
        np.testing.assert_allclose(found.cluster_centers_, X[:1])
