"""Distance maps against a slow oracle: any spacing, absent and full classes, ignored labels."""

import time

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from embedseg.losses import DistanceCache, border_distance_maps, signed_distance_maps
from tests.losses.oracles_maps import field

SPACINGS = [None, (1.0, 2.5), (0.7, 0.3)]


def pictures() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    shapes = [(1, 1), (1, 9), (8, 1), (5, 6), (9, 12)]
    noise = [rng.integers(-1, 4, shape) for shape in shapes]
    blocks = [np.kron(part[:4, :4], np.ones((3, 4), int)) for part in noise[2:]]
    return [*noise, *blocks, np.full((4, 5), 2), np.full((4, 5), -1)]


@pytest.mark.parametrize("spacing", SPACINGS, ids=str)
@pytest.mark.parametrize("number", range(len(pictures())))
def test_equal_to_the_slow_transform(number: int, spacing: tuple[float, float] | None) -> None:
    labels = pictures()[number]
    signed = signed_distance_maps(labels, 4, spacing=spacing)
    border = border_distance_maps(labels, 4, spacing=spacing)
    assert signed.dtype == np.float32 and signed.shape == (4, *labels.shape)
    for k in range(4):
        inside = (labels == k).tolist()
        steps = spacing or (1, 1)
        np.testing.assert_allclose(signed[k], field(inside, steps, signed=True), atol=2e-6)
        np.testing.assert_allclose(border[k], field(inside, steps), atol=2e-6)


@pytest.mark.parametrize("spacing", SPACINGS, ids=str)
@pytest.mark.parametrize("scene", ["cells", "rare", "thin"])
def test_equal_to_scipy_on_larger_scenes(scene: str, spacing: tuple[float, float] | None) -> None:
    """Pixels are dropped row by row once another one is nearer; none may be dropped too early."""
    rng = np.random.default_rng(5)
    y, x = np.mgrid[:190, :230]
    if scene == "cells":
        centres = rng.uniform(0, 200, (40, 2))
        labels = np.stack([(y - a) ** 2 + (x - b) ** 2 for a, b in centres]).argmin(0) % 4
    elif scene == "rare":
        labels = (rng.random(y.shape) < 0.003).astype(int) * rng.integers(1, 4, y.shape)
    else:
        labels = ((3 * x + 7 * y) % 101 == 0) + 2 * ((11 * x - 5 * y) % 173 == 0)
    steps = spacing or (1.0, 1.0)
    for k, found in enumerate(border_distance_maps(labels, 4, spacing=spacing)):
        inside = labels == k
        far, deep = (distance_transform_edt(part, sampling=steps) for part in (~inside, inside))
        expected = np.where(inside, deep, far) if inside.any() else np.zeros(y.shape)
        np.testing.assert_allclose(found, expected, rtol=2e-6, atol=1e-5)


def test_one_class_is_the_foreground() -> None:
    labels = pictures()[4]
    np.testing.assert_array_equal(
        signed_distance_maps(labels, 1), signed_distance_maps(labels, 2)[1:]
    )


def test_volume_with_spacing() -> None:
    """A plane repeated along a new axis has the plane's distances."""
    plane = pictures()[6]
    deep = signed_distance_maps(np.stack([plane] * 3), 3, spacing=(9.0, 0.5, 2.5))
    flat = signed_distance_maps(plane, 3, spacing=(0.5, 2.5))
    np.testing.assert_allclose(deep, np.stack([flat] * 3, 1), atol=2e-6)


def test_large_distances_stay_exact() -> None:
    labels = np.zeros((3, 3000), int)
    labels[0, 0] = 1
    found = signed_distance_maps(labels, 2)[1]
    assert found[2, 2999] == np.float32(np.hypot(2, 2999))


@pytest.mark.parametrize("spacing", [(1,), (1, -1), (1, np.inf)])
def test_spacing_is_checked(spacing: tuple) -> None:
    with pytest.raises(ValueError, match="spacing must be 2 positive numbers"):
        signed_distance_maps(np.zeros((3, 3), int), 2, spacing=spacing)


def test_cache_returns_the_same_maps_and_forgets() -> None:
    first, second, third = (np.roll(pictures()[4], k, 1) for k in (0, 1, 2))
    one = 4 * 4 * first.size / 2**20  # megabytes of an entry
    cache = DistanceCache(4, megabytes=2.5 * one)
    maps = cache(first)
    assert cache(first.astype(np.int64)) is maps
    assert not maps.flags.writeable
    np.testing.assert_array_equal(maps, signed_distance_maps(first, 4))
    cache(second)
    assert cache(first) is maps  # used last, so the next one pushes out `second`
    again = cache(second)
    assert cache(second) is again
    cache(third)
    assert cache(second) is again
    assert cache(first) is not maps
    assert DistanceCache(4, megabytes=0)(first) is not maps
    border = DistanceCache(4, signed=False, spacing=(1.0, 2.5))(first)
    np.testing.assert_array_equal(border, border_distance_maps(first, 4, spacing=(1.0, 2.5)))
    with pytest.raises(ValueError, match="megabytes must be >= 0"):
        DistanceCache(4, megabytes=-1)


@pytest.mark.slow
def test_twenty_classes_take_less_than_a_tenth_of_a_second() -> None:
    rng = np.random.default_rng(0)
    centres, classes = rng.integers(0, 1024, (60, 2)), rng.permutation(60) % 20
    grid = np.stack(np.mgrid[:1024, :1024], -1)
    nearest = np.stack([((grid - centre) ** 2).sum(-1) for centre in centres]).argmin(0)
    labels = classes[nearest]
    signed_distance_maps(labels, 20)
    times = []
    for _ in range(5):
        start = time.process_time()
        signed_distance_maps(labels, 20)
        times.append(time.process_time() - start)
    assert min(times) < 0.1, times
