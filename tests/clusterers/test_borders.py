"""Pixels on borders between instances found no cluster, and belong to one all the same."""

import numpy as np
import pytest
import torch
from sklearn.metrics import adjusted_rand_score

from clustering import MeanShift, base
from clustering.pixels import image, rows, spread
from clustering.tensors import device_pixels

PLACES = np.array([[0, 0], [3.2, 0], [0, 3.2], [6, 6]], float)


def blurred(rng, shape=(60, 90), noise=0.1):
    """Return three touching stripes 1..3 whose borders are two columns of values in between."""
    labels = np.broadcast_to(1 + np.arange(shape[-1]) * 3 // shape[-1], shape)
    place = PLACES[labels]
    for at in np.flatnonzero(np.diff(labels[(0,) * (len(shape) - 1)])):
        low, high = place[..., at, :].copy(), place[..., at + 1, :].copy()
        place[..., at, :] = low + (high - low) / 3
        place[..., at + 1, :] = low + (high - low) * 2 / 3
    values = np.moveaxis(place, -1, 0) + rng.uniform(-noise, noise, (2, *shape))
    return values.astype(np.float32), labels


@pytest.mark.parametrize("kernel", ["flat", "gaussian"])
@pytest.mark.parametrize("shape", [(60, 90), (12, 20, 60)])
def test_a_border_is_no_cluster(shape, kernel, monkeypatch):
    embedding, labels = blurred(np.random.default_rng(0), shape)
    inside = np.ones(shape, bool)
    fitted = MeanShift(1.0, kernel=kernel, min_points=20).fit_image(embedding, inside)
    assert len(fitted.cluster_centers_) == 3
    np.testing.assert_array_equal(fitted.labels_ >= 0, True)
    assert adjusted_rand_score(labels.ravel(), fitted.labels_) > 0.99
    without = MeanShift(1.0, kernel=kernel, min_points=20, border_step=0.0)
    assert len(without.fit_image(embedding, inside).cluster_centers_) > 3
    monkeypatch.setattr(base, "on_device", lambda values: isinstance(values, torch.Tensor))
    device = MeanShift(1.0, kernel=kernel, min_points=20)
    device.fit_image(torch.from_numpy(embedding), torch.from_numpy(inside))
    np.testing.assert_array_equal(device.labels_.numpy(), fitted.labels_)


def test_the_rim_of_the_mask_is_no_border():
    embedding, labels = blurred(np.random.default_rng(1))
    mask = labels == 2
    mask[:, ::3] = False  # strips of two columns, all of them at a rim
    fitted = MeanShift(1.0, min_points=20).fit_image(embedding, mask)
    assert len(fitted.cluster_centers_) == 1


def test_an_embedding_noisier_than_any_border_is_clustered_as_points_are():
    rng = np.random.default_rng(2)
    labels = np.repeat([1, 2], 1500).reshape(60, 50)
    angle = rng.uniform(0, 2 * np.pi, labels.shape)
    ring = 0.75 * np.stack([np.cos(angle), np.sin(angle)])
    embedding = (np.moveaxis(PLACES[2 * labels - 1], -1, 0) + ring).astype(np.float32)
    fitted = MeanShift(1.0, min_points=20).fit_image(embedding, labels > 0)
    assert adjusted_rand_score(labels.ravel(), fitted.labels_) == 1.0


def test_steep_pixels_are_those_of_the_slow_loop():
    rng = np.random.default_rng(3)
    values = rng.normal(size=(3, 7, 9, 11)).astype(np.float32)
    mask = rng.random((7, 9, 11)) < 0.3
    wanted = []
    for at in np.argwhere(mask):
        gaps = [0.0]
        for axis in range(3):
            for way in (-1, 1):
                other = at.copy()
                other[axis] += way
                if (other >= 0).all() and (other < mask.shape).all() and mask[tuple(other)]:
                    gaps.append(np.linalg.norm(values[:, *at] - values[:, *other]))
        wanted.append(max(gaps) >= 1.5)
    ranks = np.arange(mask.sum())
    host = image(values, mask).candidates(ranks, 1.5)
    free = host.free()
    assert 20 < sum(wanted) < len(wanted) - 20
    np.testing.assert_array_equal(host.barred, wanted)
    np.testing.assert_array_equal(free.points, host.points[:, ~host.barred])
    device = device_pixels(torch.from_numpy(values), torch.from_numpy(mask)).candidates(ranks, 1.5)
    np.testing.assert_array_equal(device.barred, wanted)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e300])
@pytest.mark.parametrize("by_pixel", [False, True])
def test_what_lies_outside_the_mask_does_not_matter(bad, by_pixel):
    embedding, labels = blurred(np.random.default_rng(5))
    mask = labels > 0
    mask[0, 0] = mask[:, ::7] = False  # the first pixel is the first number in memory
    fits = []
    for value in (0.0, bad):
        given = np.where(mask, embedding.astype(float), value)
        if bad != 1e300:
            given = given.astype(np.float32)
        if by_pixel:
            given = np.moveaxis(np.ascontiguousarray(np.moveaxis(given, 0, -1)), -1, 0)
        fits.append(MeanShift(1.0, min_points=20).fit_image(given, mask))
    assert len(fits[0].cluster_centers_) == 3
    np.testing.assert_array_equal(fits[1].labels_, fits[0].labels_)
    np.testing.assert_array_equal(fits[1].cluster_centers_, fits[0].cluster_centers_)


@pytest.mark.parametrize("first", [0.0, np.nan, np.inf])
def test_the_first_pixel_does_not_make_the_others_borders(first):
    embedding, labels = blurred(np.random.default_rng(6))
    mask = labels > 0
    mask[0, 0] = False
    embedding[0, 0, 0] = first
    some = image(embedding, mask).candidates(np.arange(mask.sum()), 0.8)
    assert 0.8 < some.free().points.shape[1] / mask.sum() < 1


def test_points_have_no_borders():
    points = rows(np.random.default_rng(4).normal(size=(50, 2)).astype(np.float32))
    assert points.candidates(spread(50, 20), 0.01).free().points.shape == (2, 20)


def test_a_negative_step_is_refused():
    with pytest.raises(ValueError, match="border_step must be >= 0, got -1"):
        MeanShift(1.0, border_step=-1).fit(np.ones((5, 2)))
