"""Generated plants: labels exact and whole, seeds decide, any size, pictures that look like one."""

import pickle

import numpy as np
import pytest

from embedseg.data import draw_plant, open_dataset, synthetic
from embedseg.data.leaf_paint import cover
from embedseg.data.rosette import rosette
from embedseg.labels import split_components


@pytest.mark.parametrize("size", [(64, 64), (97, 140), (200, 120)])
def test_labels_are_consecutive_and_never_small(size):
    for seed in range(4):
        sample = draw_plant(np.random.default_rng(seed), size, leaves=(3, 9), min_size=15)
        assert sample.labels.shape == size
        areas = np.bincount(sample.labels.ravel())
        assert 2 <= len(areas) <= 10 and areas.min() >= 15


def test_every_leaf_is_in_one_piece_before_others_cover_it():
    for seed in range(12):
        rng = np.random.default_rng(seed)
        for leaf in rosette(rng, radius=rng.uniform(12, 60), count=14):
            at = cover(leaf, (80.0, 79.3), (160, 160), 3)
            assert len(split_components((at.alpha >= 0.5).astype(np.int32))[1]) == 1


def test_the_box_of_a_leaf_cuts_nothing_off():
    for leaf in rosette(np.random.default_rng(0), radius=60, count=14):
        small = cover(leaf, (80.0, 79.3), (160, 160), 0)
        large = np.zeros((160, 160), np.float32)
        large[small.box] = small.alpha
        wide = cover(leaf, (80.0, 79.3), (160, 160), 200)
        assert wide.alpha.shape == (160, 160)
        assert ((large >= 0.5) == (wide.alpha >= 0.5)).all()


def test_the_youngest_leaves_begin_behind_the_centre_and_hide_it():
    behind, hidden = [], []
    for seed in range(20):
        leaves = rosette(np.random.default_rng(seed), radius=60, count=14)
        along = [x.root[0] * np.cos(x.angle) + x.root[1] * np.sin(x.angle) for x in leaves]
        assert max(np.hypot(*leaf.root) for leaf in leaves[:10]) < 6
        behind.append(min(along[-3:]))
        at = cover(leaves[-1], (80.0, 80.0), (160, 160), 80)
        hidden.append(at.alpha[80 - at.box[0].start, 80 - at.box[1].start] >= 0.5)
    assert np.mean(behind) < -2 and np.mean(hidden) > 0.5


@pytest.mark.parametrize(("size", "worst"), [(96, 70), (200, 70), (360, 25)])
def test_small_pictures_lose_less_to_jpeg(monkeypatch, size, worst):
    seen = []
    monkeypatch.setattr(synthetic, "_jpeg", lambda picture, q: seen.append(q) or picture)
    for seed in range(40):
        synthetic._photograph(np.zeros((size, size, 3), np.float32), np.random.default_rng(seed))
    assert worst <= min(seen) < worst + 15


def test_a_leaf_off_the_picture_covers_nothing():
    leaf = rosette(np.random.default_rng(0), radius=20, count=1)[0]
    assert cover(leaf, (500.0, 500.0), (64, 64), 2) is None


def test_pictures_follow_from_seed_and_number_alone():
    few, many = open_dataset("leaves:3,7,size=64"), open_dataset("leaves:5,7,size=64")
    assert many.names[:3] == few.names
    for a, b in zip(few, many[:3], strict=True):
        np.testing.assert_array_equal(a.image, b.image)
        np.testing.assert_array_equal(a.labels, b.labels)
    other = open_dataset("leaves:1,8,size=64")
    assert other.names != few.names[:1] and (other[0].image != few[0].image).any()
    again = pickle.loads(pickle.dumps(few))[2]
    np.testing.assert_array_equal(again.image, few[2].image)


def test_options_of_the_spec():
    data = open_dataset("leaves:6,size=96,leaves=3-4")
    assert len(data) == 6
    for sample in data:
        assert sample.image.shape == (96, 96, 3) and sample.labels.max() <= 4
    assert open_dataset("leaves:2,leaves=5,size=160")[0].labels.max() <= 5


@pytest.mark.parametrize("where", ["", "x", "0", "3,y", "3,1,2", "3,size=", "3,leaves=1-2-3", "-4"])
def test_misspelt_specs(where):
    with pytest.raises(ValueError, match=r"leaves:|unknown option of leaves|name:where"):
        open_dataset(f"leaves:{where}")
    with pytest.raises(ValueError, match="unknown option of leaves 'sise'; did you mean 'size'"):
        open_dataset("leaves:3,sise=4")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 8}, "size must be >= 16 pixels, got 8"),
        ({"leaves": (5, 3)}, r"leaves must be a range .* got \(5, 3\)"),
        ({"leaves": (0, 3)}, "leaves must be a range"),
    ],
)
def test_impossible_options(options, message):
    with pytest.raises(ValueError, match=message):
        draw_plant(np.random.default_rng(0), **options)


def test_leaves_are_green_and_the_ground_is_not():
    for sample in open_dataset("leaves:8,size=128"):
        red, green, blue = (sample.image[..., c].astype(int) for c in range(3))
        leaf, ground = sample.labels > 0, sample.labels == 0
        assert np.mean((green > red)[leaf] & (green > blue)[leaf]) > 0.95
        assert np.median((2 * green - red - blue)[ground]) < 25
        assert 0.01 < leaf.mean() < 0.6


def test_labels_lie_where_the_leaves_are_painted():
    """Around the edge of the plant, greenness must jump where the labels do, not beside."""
    scores = []
    for sample in open_dataset("leaves:6,3,size=160"):
        green = 2 * sample.image[..., 1].astype(int) - sample.image[..., [0, 2]].sum(2)
        means = [
            np.median(green[np.roll(sample.labels > 0, shift, (0, 1))])
            - np.median(green[~np.roll(sample.labels > 0, shift, (0, 1))])
            for shift in ((0, 0), (2, 2), (-2, -2), (2, -2), (-2, 2))
        ]
        inside = green > np.median(green[sample.labels > 0]) / 2
        overlap = [
            (inside & (rolled := np.roll(sample.labels > 0, shift, (0, 1)))).sum()
            / (inside | rolled).sum()
            for shift in ((0, 0), (2, 0), (-2, 0), (0, 2), (0, -2))
        ]
        scores.append(np.argmax(overlap) == 0 and means[0] > 30)
    assert np.mean(scores) > 0.8
