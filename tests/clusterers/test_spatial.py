"""Sequential clustering with bandwidths: each cluster's own width, seeds in order, drops."""

import numpy as np
import pytest

from clustering import NOISE, SpatialClustering
from clustering.spatial import MANY, Line


def two_sizes() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points (N, 1): a narrow cluster at 0 and a wide one from 0.4 to 2.4, with their widths."""
    points = np.concatenate([np.linspace(-0.05, 0.05, 11), np.linspace(0.4, 2.4, 21)])[:, None]
    sigma = np.where(np.arange(32)[:, None] < 11, 0.1, 1.0)
    seed = np.exp(-np.abs(points[:, 0] - np.where(np.arange(32) < 11, 0, 1.4)))
    return points, -np.log(2 * sigma**2), seed


def test_each_cluster_has_its_own_width() -> None:
    points, log_precision, seed = two_sizes()
    fitted = SpatialClustering().fit(points, seed=seed, log_precision=log_precision)
    assert len(fitted.cluster_centers_) == 2
    assert len(set(fitted.labels_[:11])) == 1 and len(set(fitted.labels_[11:])) == 1
    assert fitted.labels_[0] != fitted.labels_[-1]
    one_width = SpatialClustering(1.0).fit(points, seed=seed)
    assert len(set(one_width.labels_)) < 2 or one_width.labels_[11] == one_width.labels_[0]


def test_equals_the_papers_loop() -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform(0, 4, (300, 2)).astype(np.float32)
    log_precision = rng.uniform(0, 2, (300, 2)).astype(np.float32)
    seed = rng.uniform(0, 1, 300).astype(np.float32)
    fitted = SpatialClustering(seed_threshold=0.3, min_points=4, cluster_all=False)
    found = fitted.fit(points, seed=seed, log_precision=log_precision).labels_
    expected, number = np.full(300, NOISE), 0
    free = np.ones(300, bool)
    while (free & (seed > 0.3)).any():
        at = max(np.flatnonzero(free), key=lambda i: seed[i])
        away = (np.exp(log_precision[at]) * (points - points[at]) ** 2).sum(1)
        inside = np.exp(-away) > 0.5
        free &= ~inside
        new = inside & (expected == NOISE)
        if new.sum() >= 4 and (inside & ~new).sum() < 0.5 * inside.sum():
            expected[new] = number
            number += 1
    assert number > 3
    np.testing.assert_array_equal(found, expected)
    everyone = SpatialClustering(seed_threshold=0.3, min_points=4)
    labels = everyone.fit(points, seed=seed, log_precision=log_precision).labels_
    assert (labels >= 0).all() and (labels[expected >= 0] == expected[expected >= 0]).all()


@pytest.mark.parametrize("axes", [1, 2, 5])
def test_points_far_along_one_axis_are_left_out_without_another_result(
    axes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(axes)
    points = rng.normal(size=(600, axes)).round(1) * [9.0, 30, 1, 1, 1][:axes] + 1e6
    maps = {"seed": rng.random(600), "log_precision": rng.normal(size=(600, axes)) * 3 + 2}
    maps["log_precision"][:9] = np.repeat([40.0, -200, 5], 3)[:, None]
    clusterer = SpatialClustering(seed_threshold=0.2, max_overlap=0.3)
    found = clusterer.fit(points, **maps).labels_
    looked: list[int] = []
    whole = slice(None)
    monkeypatch.setattr(Line, "near", lambda self, *_: looked.append(1) or whole)
    again = clusterer.fit(points, **maps).labels_
    assert np.array_equal(found, again) and len(looked) > 9 and found.max() > 9


def test_image_and_points_agree_and_no_seed_is_no_cluster() -> None:
    rng = np.random.default_rng(1)
    embedding, seed = rng.uniform(0, 3, (2, 9, 7)), rng.uniform(0, 1, (9, 7))
    width, mask = rng.uniform(0, 2, (2, 9, 7)), rng.uniform(0, 1, (9, 7)) > 0.3
    image = SpatialClustering().fit_image(embedding, mask, seed=seed, log_precision=width)
    points = SpatialClustering().fit(
        embedding[:, mask].T, seed=seed[mask], log_precision=width[:, mask].T
    )
    np.testing.assert_array_equal(image.labels_, points.labels_)
    none = SpatialClustering().fit_image(embedding, mask, seed=0 * seed)
    assert (none.labels_ == NOISE).all() and none.cluster_centers_.shape == (0, 2)


def test_timid_seeds_found_clusters_where_none_is_above_the_threshold() -> None:
    points = np.repeat([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]], 10, axis=0).astype(np.float32)
    seed = np.repeat([0.60, 0.58, 0.30], 10).astype(np.float32)
    found = SpatialClustering(seed_threshold=0.9, cluster_all=False).fit(points, seed=seed).labels_
    np.testing.assert_array_equal(found, np.repeat([0, 1, NOISE], 10))
    above = SpatialClustering(seed_threshold=0.59, cluster_all=False).fit(points, seed=seed).labels_
    np.testing.assert_array_equal(above, np.repeat([0, NOISE, NOISE], 10))


@pytest.mark.parametrize("options", [{"bandwidth": 0}, {"membership": 1}])
def test_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        SpatialClustering(**options).fit(np.ones((3, 2)))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["seed", "log_precision"])
def test_maps_are_finite_in_the_mask_and_free_outside(name: str, bad: float) -> None:
    rng = np.random.default_rng(2)
    embedding, mask = rng.uniform(0, 3, (2, 9, 7)), rng.uniform(0, 1, (9, 7)) > 0.3
    maps = {"seed": rng.uniform(0, 1, (9, 7)), "log_precision": rng.uniform(0, 2, (2, 9, 7))}
    wanted = SpatialClustering().fit_image(embedding, mask, **maps).labels_
    outside = maps | {name: np.where(mask, maps[name], bad)}
    found = SpatialClustering().fit_image(embedding, mask, **outside).labels_
    np.testing.assert_array_equal(found, wanted)
    at = np.argwhere(mask)[3]
    maps[name][..., at[0], at[1]] = bad
    with pytest.raises(ValueError, match=f"^{name} has NaN or infinity"):
        SpatialClustering().fit_image(embedding, mask, **maps)
    points = {key: values[..., mask].T for key, values in maps.items()}
    with pytest.raises(ValueError, match=f"^{name} has NaN or infinity"):
        SpatialClustering().fit(embedding[:, mask].T, **points)


def test_a_mask_or_map_of_another_shape_is_refused_before_it_is_read() -> None:
    embedding, mask = np.zeros((2, 9, 7)), np.ones((9, 7), bool)
    with pytest.raises(ValueError, match=r"mask \(9, 6\) do not fit"):
        SpatialClustering().fit_image(embedding, mask[:, 1:], seed=np.ones((9, 7)))
    for name, shape in (("seed", (9, 6)), ("seed", (2, 9, 7)), ("log_precision", (9, 7))):
        with pytest.raises(ValueError, match=f"^{name} .* does not fit the image; give "):
            SpatialClustering().fit_image(embedding, mask, **{name: np.ones(shape)})


def test_maps_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fit 3 points"):
        SpatialClustering().fit(np.ones((3, 2)), seed=np.ones(4))


def test_there_may_be_thousands_of_clusters_but_not_of_single_points() -> None:
    places = np.arange(2100.0).repeat(2)[:, None]
    fitted = SpatialClustering(0.1).fit(places)
    assert len(fitted.cluster_centers_) == 2100
    assert len(SpatialClustering(0.1).fit(places[::2]).cluster_centers_) == MANY
