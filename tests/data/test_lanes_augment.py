"""Augmentation of roads: polylines and pixels move together."""

import dataclasses

import numpy as np
import pytest

from embedseg.augmentation import AugmentConfig
from embedseg.data.lane_augment import augment_lanes
from embedseg.data.lane_sample import LaneSample, lane_sample
from embedseg.data.weather import change_weather
from embedseg.lanes.polylines import lanes_of

SIZE = (96, 160)
ROAD_AUGMENT = AugmentConfig(
    scale=(0.9, 1.2),
    rotation=3.0,
    translation=0.04,
    flip_vertical=0.0,
    random_crop=False,
    brightness=0.35,
    contrast=0.3,
    saturation=0.4,
    hue=8.0,
    blur=1.0,
    noise=6.0,
    shadow=0.3,
    rain=0.1,
    motion=0.1,
)
DRY = {"shadow": 0.0, "rain": 0.0, "motion": 0.0}
PLAIN = dataclasses.replace(
    ROAD_AUGMENT, brightness=0, contrast=0, saturation=0, hue=0, blur=0, noise=0, **DRY
)


def road() -> LaneSample:
    """Lanes that are also painted, so that the picture tells where they are."""
    lanes = lanes_of([[(40, 10), (20, 95)], [(90, 10), (110, 60), (150, 95)]], SIZE)
    image = np.repeat(
        lane_sample(np.zeros((*SIZE, 3), np.uint8), lanes, width=5).labels[..., None], 3, 2
    )
    return lane_sample(((image > 0) * 255).astype(np.uint8), lanes, width=5)


@pytest.mark.parametrize("seed", range(8))
def test_lanes_and_pixels_move_by_the_same_matrix(seed: int) -> None:
    config = dataclasses.replace(PLAIN, scale=(1.0, 1.0 + 1e-9), rotation=8, border="constant")
    out = augment_lanes(road(), config, np.random.default_rng(seed))
    bright = out.image[..., 0] > 127
    inside = out.labels >= 0
    agree = (bright == (out.labels > 0))[inside].mean()
    assert agree > 0.985 and bright.sum() > 200
    rows = np.rint(out.lanes.points[0]).astype(int).clip(0, (159, 95))
    assert out.labels[rows[1:-1, 1], rows[1:-1, 0]].min(initial=1) >= 1


def test_mirror_is_exact_and_keeps_ids() -> None:
    still = dataclasses.replace(
        PLAIN, scale=(1.0, 1.0), rotation=0, translation=0, flip_horizontal=1.0
    )
    before = road()
    out = augment_lanes(before, still, np.random.default_rng(0))
    np.testing.assert_array_equal(out.image, before.image[:, ::-1])
    np.testing.assert_array_equal(out.labels, before.labels[:, ::-1])
    assert out.lanes.ids == (1, 2)
    assert out.lanes.points[0][0].tolist() == [159 - 40, 10]


def test_strokes_keep_their_width_and_lanes_are_cut_at_the_border() -> None:
    zoom = dataclasses.replace(
        PLAIN, scale=(2.0, 2.0 + 1e-9), rotation=0, translation=0, flip_horizontal=0.0
    )
    out = augment_lanes(road(), zoom, np.random.default_rng(0))
    (lane,) = (p for p, i in zip(out.lanes.points, out.lanes.ids, strict=True) if i == 2)
    assert (lane >= -0.5).all() and (lane <= (159.5, 95.5)).all()
    assert 5 <= (out.labels[40] == 2).sum() <= 7


def test_outside_of_the_picture_is_ignored_and_slivers_too() -> None:
    shrink = dataclasses.replace(PLAIN, scale=(0.5, 0.5 + 1e-9), rotation=0, translation=0)
    out = augment_lanes(road(), shrink, np.random.default_rng(0))
    assert (out.labels[:20] == -1).all() and (out.labels[48] >= 0).sum() == 80
    few = dataclasses.replace(shrink, min_pixels=10_000)
    assert not (augment_lanes(road(), few, np.random.default_rng(0)).labels > 0).any()


def test_same_generator_same_copy_and_the_argument_is_untouched() -> None:
    before = road()
    image, labels = before.image.copy(), before.labels.copy()
    wet = dataclasses.replace(ROAD_AUGMENT, shadow=1.0, rain=1.0, motion=1.0)
    a, b = (augment_lanes(before, wet, np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(a.image, b.image)
    np.testing.assert_array_equal(before.image, image)
    np.testing.assert_array_equal(before.labels, labels)


@pytest.mark.parametrize("name", ["shadow", "rain", "motion"])
def test_each_weather_changes_the_picture(name: str) -> None:
    image = np.random.default_rng(0).integers(0, 255, (64, 96, 3)).astype(np.uint8)
    weather = DRY | {name: 1.0}
    changed = [change_weather(image, np.random.default_rng(s), **weather) for s in range(3)]
    assert all(c.shape == image.shape and c.dtype == np.uint8 for c in changed)
    assert max(np.abs(c.astype(int) - image).mean() for c in changed) > 2
    np.testing.assert_array_equal(change_weather(image, np.random.default_rng(0), **DRY), image)
    with pytest.raises(ValueError, match=f"{name} is a probability"):
        AugmentConfig(**{name: 1.5})
