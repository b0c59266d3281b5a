"""Augmentation: image and labels move together, nothing is lost or made up, seeds decide."""

import numpy as np
import pytest

from embedseg.data import AugmentConfig, Sample, augment, resize
from embedseg.data.colour import colour_matrix
from embedseg.data.geometry import random_matrix, warp

STILL = {
    "scale": (1.0, 1.0),
    "rotation": 0.0,
    "flip_horizontal": 0.0,
    "flip_vertical": 0.0,
    "brightness": 0.0,
    "contrast": 0.0,
    "saturation": 0.0,
    "hue": 0.0,
    "blur": 0.0,
    "noise": 0.0,
}


def still(**changes) -> AugmentConfig:
    return AugmentConfig(**(STILL | changes))


def discs(height: int = 90, width: int = 70) -> Sample:
    """Discs whose grey level is 10 x their label, on black: the image tells what labels must be."""
    y, x = np.mgrid[:height, :width]
    labels = np.zeros((height, width), np.int32)
    for label, (cy, cx, r) in enumerate([(20, 20, 13), (55, 45, 17), (70, 12, 9), (22, 55, 8)], 1):
        labels[(y - cy) ** 2 + (x - cx) ** 2 <= r * r] = 5 * label
    image = np.repeat((10 * labels).astype(np.uint8)[..., None], 3, axis=2)
    return Sample(image, labels, (labels > 0).astype(np.uint8), "discs")


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def assert_equal(a: Sample, b: Sample) -> None:
    np.testing.assert_array_equal(a.image, b.image)
    np.testing.assert_array_equal(a.labels, b.labels)
    np.testing.assert_array_equal(a.semantic, b.semantic)


def test_nothing_asked_changes_nothing():
    assert_equal(augment(discs(), still(), rng()), discs())


@pytest.mark.parametrize("axis", ["horizontal", "vertical"])
def test_flips_are_exact_and_undo_themselves(axis):
    config = still(**{f"flip_{axis}": 1.0})
    once = augment(discs(), config, rng())
    flip = np.fliplr if axis == "horizontal" else np.flipud
    np.testing.assert_array_equal(once.image, flip(discs().image))
    np.testing.assert_array_equal(once.labels, flip(discs().labels))
    assert_equal(augment(once, config, rng()), discs())


@pytest.mark.parametrize(
    "changes",
    [
        {"rotation": 180.0},
        {"scale": (0.4, 0.5)},
        {"scale": (0.7, 0.9), "rotation": 30.0, "flip_horizontal": 1.0},
        {"scale": (1.4, 1.9), "size": (64, 120)},
        {"translation": 0.2},
        {"rotation": 180.0, "fit": True, "size": 48, "scale": (0.8, 1.0)},
        {"size": 200, "border": "constant"},
    ],
)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_image_and_labels_agree(changes, seed):
    moved = augment(discs(), still(**changes), rng(seed))
    known = moved.labels >= 0
    error = np.abs(moved.image[..., 0].astype(int) - 10 * np.maximum(moved.labels, 0))
    interior = known.copy()  # away from the edges of discs, where linear and nearest must differ
    for shift in (1, -1):
        for axis in (0, 1):
            interior &= np.roll(moved.labels, shift, axis) == moved.labels
            interior &= np.roll(moved.labels, 2 * shift, axis) == moved.labels
    assert interior.sum() > 0.3 * known.sum()
    assert np.percentile(error[interior], 99) <= 2
    np.testing.assert_array_equal(moved.semantic[known], moved.labels[known] > 0)
    assert (moved.semantic[~known] == 255).all()


@pytest.mark.parametrize(("scale", "degrees"), [(0.37, 200), (0.55, 0), (0.9, 10), (1.7, 33)])
def test_image_and_labels_follow_the_matrix(scale, degrees):
    """Each pixel says where it comes from: labels by a number, the image by two ramps."""
    y, x = np.mgrid[:100, :100].astype(np.int32)
    sample = Sample(np.dstack([2 * x, 2 * y, y]).astype(np.uint8), 100 * y + x)
    angle = np.deg2rad(degrees)
    matrix = np.array(
        [
            [scale * np.cos(angle), -scale * np.sin(angle), 31.3],
            [scale * np.sin(angle), scale * np.cos(angle), 24.8],
        ]
    )
    moved = warp(sample, matrix, (100, 100), border="constant")
    true_x, true_y = np.einsum(
        "ij,jyx->iyx",
        np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))[:2],
        [x, y, np.ones((100, 100))],
    )
    inside = (np.minimum(true_x, true_y) > 3) & (np.maximum(true_x, true_y) < 95)
    assert inside.sum() > 500
    for source, image, label in (
        (true_x, moved.image[..., 0] / 2, moved.labels % 100),
        (true_y, moved.image[..., 1] / 2, moved.labels // 100),
    ):
        assert np.abs(label - source)[inside].max() < 0.52
        assert abs((label - source)[inside].mean()) < 0.1
        assert np.abs(image - source)[inside].max() < 0.52
        assert abs((image - source)[inside].mean()) < 0.06


def test_rotation_back_and_forth_keeps_the_labels():
    angle = np.deg2rad(33.0)
    c, s = np.cos(angle), np.sin(angle)
    centre = np.array([34.5, 44.5])
    turn = np.array([[c, -s], [s, c]])
    there = np.column_stack([turn, centre - turn @ centre])
    back = np.column_stack([turn.T, centre - turn.T @ centre])
    round_trip = warp(warp(discs(), there, (90, 70)), back, (90, 70))
    inside = round_trip.labels >= 0
    assert inside.mean() > 0.7
    assert (round_trip.labels == discs().labels)[inside].mean() > 0.97


def test_no_label_value_is_lost_or_made_up():
    values = np.array([-1, 0, 1, 255, 256, 32767, 32768, 40000, 65535, 2**31 - 1], np.int32)
    labels = np.repeat(np.repeat(values[None], 12, 0), 12, 1)
    for part in (labels, np.minimum(labels, 32767)):
        sample = Sample(np.zeros((*part.shape, 3), np.uint8), part)
        moved = augment(sample, still(rotation=10.0, outside="background"), rng())
        assert set(np.unique(moved.labels)) == set(np.unique(part))
        assert moved.labels.dtype == np.int32


def test_what_lies_outside():
    sample = Sample(np.full((20, 20, 3), 200, np.uint8), np.ones((20, 20), np.int32))
    ignored = augment(sample, still(size=40), rng())
    assert set(np.unique(ignored.labels)) == {-1, 1} and (ignored.image == 200).all()
    assert (ignored.labels == 1).sum() == 400
    filled = augment(
        sample, still(size=40, border="constant", fill=(1, 2, 3), outside="background"), rng()
    )
    assert set(np.unique(filled.labels)) == {0, 1}
    assert (filled.image[filled.labels == 0] == (1, 2, 3)).all()


def test_fit_shows_the_whole_picture():
    moved = augment(discs(), still(size=45, fit=True, random_crop=False), rng())
    assert moved.labels.shape == (45, 45)
    assert set(np.unique(moved.labels)) == {-1, 0, 5, 10, 15, 20}
    assert (moved.labels >= 0).sum() == pytest.approx(45 * 35, abs=45)


def test_random_crops_move_by_whole_pixels():
    codes = np.arange(90 * 70, dtype=np.int32).reshape(90, 70)  # each pixel says where it was
    sample = Sample(discs().image, codes)
    places = set()
    for seed in range(40):
        crop = augment(sample, still(size=32), rng(seed))
        y, x = divmod(int(crop.labels[0, 0]), 70)
        np.testing.assert_array_equal(crop.labels, codes[y : y + 32, x : x + 32])
        np.testing.assert_array_equal(crop.image, sample.image[y : y + 32, x : x + 32])
        places.add((y, x))
    assert len(places) > 30
    assert max(y for y, _ in places) > 45 and min(y for y, _ in places) < 12


def test_shrinking_does_not_alias():
    fine = np.zeros((240, 240, 3), np.uint8)
    fine[::2] = 255  # stripes finer than the small picture can show: they must become grey
    sample = Sample(fine, np.zeros((240, 240), np.int32))
    for config in (still(scale=(0.3, 0.3)), still(scale=(0.26, 0.5), rotation=45.0)):
        small = augment(sample, config, rng()).image
        assert np.abs(small.astype(int) - 127).max() < 60
    assert np.abs(resize(sample, 60).image.astype(int) - 127).max() < 3


def test_slivers_are_ignored():
    labels = np.zeros((20, 20), np.int32)
    labels[2, 2:5], labels[10:15, 10:15] = 3, 4
    sample = Sample(np.zeros((20, 20, 3), np.uint8), labels)
    moved = augment(sample, still(min_pixels=4), rng())
    np.testing.assert_array_equal(moved.labels, np.where(labels == 3, -1, labels))


def test_seeds_decide_and_the_sample_stays():
    sample, config = discs(), AugmentConfig()
    before = discs()
    first, second = (augment(sample, config, rng(7)) for _ in range(2))
    assert_equal(first, second)
    assert not np.array_equal(first.image, augment(sample, config, rng(8)).image)
    assert_equal(sample, before)


def test_resize():
    small = resize(discs(), (45, 35))
    np.testing.assert_array_equal(small.labels, discs().labels[1::2, 1::2])
    large = resize(discs(), (180, 140))
    np.testing.assert_array_equal(large.labels[::2, 1::2], discs().labels)
    assert resize(discs(), 1).labels.shape == (1, 1)
    with pytest.raises(ValueError, match=r"size must be >= 1 pixel, got \(0, 5\)"):
        resize(discs(), (0, 5))


def test_colour_matrix_is_neutral_and_keeps_grey():
    image = np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    neutral = colour_matrix(1, 1, 1, 0, image)
    np.testing.assert_allclose(neutral, np.eye(3, 4), atol=1e-6)
    grey = np.array([90.0, 90.0, 90.0, 1.0])
    np.testing.assert_allclose(colour_matrix(1, 1, 0.3, 25, image) @ grey, 90, atol=1e-4)
    np.testing.assert_allclose(colour_matrix(1.5, 1, 1, 0, image) @ grey, 135, atol=1e-4)
    mean = image.reshape(-1, 3).mean(0) @ [0.299, 0.587, 0.114]
    flat = colour_matrix(1, 0, 1, 0, image) @ [*image[0, 0], 1]
    np.testing.assert_allclose(flat, mean, atol=1e-6)


@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation", "hue", "blur", "noise"])
def test_each_colour_change_acts_on_the_image_alone(name):
    amount = {"hue": 90.0, "blur": 5.0, "noise": 30.0}.get(name, 0.9)
    sample = Sample(
        np.random.default_rng(1).integers(60, 180, (40, 40, 3)).astype(np.uint8),
        np.arange(1600, dtype=np.int32).reshape(40, 40),
    )
    changed = augment(sample, still(**{name: amount}), rng(5))
    assert np.abs(changed.image.astype(int) - sample.image).mean() > 3
    np.testing.assert_array_equal(changed.labels, sample.labels)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scale": (0.0, 1.0)}, r"scale must be \(low, high\)"),
        ({"scale": (2.0, 1.0)}, r"scale must be \(low, high\)"),
        ({"flip_vertical": 1.5}, "flip_vertical is a probability"),
        ({"noise": -1.0}, "noise must be >= 0, got -1.0"),
        ({"size": 0}, "size must be >= 1"),
        ({"border": "wrap"}, "border must be one of reflect, constant, got 'wrap'"),
        ({"outside": "zero"}, "outside must be one of ignore, background, got 'zero'"),
    ],
)
def test_impossible_options(changes, message):
    with pytest.raises(ValueError, match=message):
        AugmentConfig(**changes)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (2, 3)])
def test_tiny_pictures(shape):
    sample = Sample(np.zeros((*shape, 3), np.uint8), np.ones(shape, np.int32))
    assert augment(sample, AugmentConfig(size=16), rng()).labels.shape == (16, 16)
    assert augment(sample, AugmentConfig(scale=(0.1, 0.2)), rng()).labels.shape == shape


def drawn(**changes) -> np.ndarray:
    """Matrices (200, 2, 3) that are drawn for pictures 100 wide and 50 high."""
    plain = {"scale": (1.0, 1.0), "rotation": 0.0, "translation": 0.0, "flips": (0.0, 0.0)}
    options = {**plain, "random_crop": False, **changes}
    return np.stack([random_matrix((50, 100), (50, 100), rng(k), **options) for k in range(200)])


def test_translation_is_a_share_of_the_sides_either_way():
    moves = drawn(translation=0.2)[:, :, 2]
    assert moves.max(0).tolist() == [20, 10] and moves.min(0).tolist() == [-20, -10]
    assert moves.std(0) == pytest.approx([20 / 3**0.5, 10 / 3**0.5], rel=0.1)


def test_rotation_goes_either_way():
    angles = np.rad2deg(np.arctan2(*drawn(rotation=30.0)[:, ::-1, 0].T))
    assert -30 <= angles.min() < -28 and 28 < angles.max() <= 30
    assert angles.std() == pytest.approx(30 / 3**0.5, rel=0.1)


@pytest.mark.parametrize("weather", ["shadow", "rain", "motion"])
def test_each_weather_comes_by_itself(weather):
    config = still(**{weather: 1.0})
    changed = augment(discs(), config, rng())
    assert (changed.image != discs().image).any()
    np.testing.assert_array_equal(changed.labels, discs().labels)
