"""Cluster means, closeness and scores: equal to plain numpy over the pixels taken out."""

import numpy as np

from embedseg.inference.members import closeness_to, instance_scores, join


def scene():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(3, 400)).astype(np.float32)
    places = np.flatnonzero(rng.random(400) < 0.6)
    found = rng.integers(-1, 5, len(places)).astype(np.int32)
    return values, places, found


def test_means_and_the_clusters_of_noise() -> None:
    values, places, found = scene()
    given = found.copy()
    members, means = join(values, places, found, 0.0)
    points = values[:, places].T
    wanted = np.stack([points[found == label].mean(axis=0) for label in range(5)])
    np.testing.assert_allclose(means, wanted, atol=1e-6)
    nearest = np.linalg.norm(points[:, None] - wanted[None], axis=2).argmin(axis=1)
    np.testing.assert_array_equal(members, np.where(found < 0, nearest, found))
    np.testing.assert_array_equal(found, given)
    away = np.linalg.norm(points - wanted[members], axis=1)
    close = closeness_to(means, values, places, members, 0.7)
    np.testing.assert_allclose(close, np.exp(-0.5 * (away / 0.7) ** 2), atol=1e-5)


def test_pixel_by_pixel_is_as_good_as_in_planes() -> None:
    values, places, found = scene()
    turned = np.ascontiguousarray(values.T).T
    members, means = join(values, places, found, 0.5)
    same, near = join(turned, places, found, 0.5)
    np.testing.assert_array_equal(same, members)
    np.testing.assert_allclose(near, means, atol=1e-6)
    np.testing.assert_allclose(
        closeness_to(means, turned, places, members, 0.7),
        closeness_to(means, values, places, members, 0.7),
        atol=1e-6,
    )


def test_near_clusters_are_merged_and_noise_alone_stays_noise() -> None:
    values, places, found = scene()
    members, means = join(values, places, found, 100.0)
    assert len(means) == 1 and (members == 0).all()
    members, means = join(values, places, np.full_like(found, -1), 0.0)
    assert means.shape == (0, 3) and (members == -1).all()


def test_scores_by_hand() -> None:
    labels = np.array([[0, 2, 2], [0, 5, 2]], np.int32)
    closeness = np.array([[9, 0.5, 1], [9, 0.25, 0]], np.float32)
    assert instance_scores(labels, None, closeness) == {2: 0.5, 5: 0.25}
    half = np.full((2, 3), 0.5, np.float32)
    assert instance_scores(labels, half, closeness) == {2: 0.25, 5: 0.125}
