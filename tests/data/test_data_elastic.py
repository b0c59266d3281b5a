"""Bending: smooth, of the strength asked for, image and labels alike, the seed decides."""

from dataclasses import replace

import numpy as np
import pytest

from embedseg.data import AugmentConfig, Sample, augment, open_dataset
from embedseg.data.elastic import bend, displacement
from embedseg.labels import IGNORE, split_components

STILL = AugmentConfig(
    scale=(1.0, 1.0), rotation=0.0, flip_horizontal=0.0, flip_vertical=0.0, random_crop=False,
    brightness=0.0, contrast=0.0, saturation=0.0, hue=0.0, blur=0.0, noise=0.0,
)  # fmt: skip


def discs(classes: bool = False) -> Sample:
    rows, columns = np.mgrid[:120, :160]
    labels = np.zeros((120, 160), np.int32)
    for number, (y, x) in enumerate(((30, 40), (30, 120), (85, 80)), 1):
        labels[np.hypot(rows - y, columns - x) < 22] = number
    image = np.repeat((60 * labels + 20)[..., None], 3, 2).astype(np.uint8)
    semantic = (labels > 0).astype(np.uint8) if classes else None
    return Sample(image, labels, semantic, "discs")


def test_the_displacement_is_smooth_and_as_strong_as_asked():
    fields = [displacement((250, 300), 6.0, np.random.default_rng(k)) for k in range(40)]
    assert fields[0].shape == (250, 300, 2)
    nodes = np.stack([d[25::50, 30::60] for d in fields])
    assert 5.4 < nodes.std() < 6.6
    steps = max(max(abs(np.diff(d, axis=0)).max(), abs(np.diff(d, axis=1)).max()) for d in fields)
    assert steps < 0.9  # no fold: neighbours keep their order


def test_image_and_labels_bend_together():
    for seed in range(5):
        bent = bend(discs(classes=True), np.random.default_rng(seed), largest=0.04)
        assert bent.labels.dtype == np.int32 and bent.semantic.dtype == np.uint8
        inside = bent.labels >= 0
        expected = 60 * bent.labels + 20
        differs = np.abs(bent.image[..., 0].astype(int) - expected) > 12
        assert differs[inside].mean() < 0.04  # only where cubic sampling meets an edge
        np.testing.assert_array_equal((bent.labels > 0)[inside], (bent.semantic == 1)[inside])
        assert len(split_components(np.maximum(bent.labels, 0))[1]) == 3


def test_shapes_change_and_what_lies_outside_is_marked():
    sample = discs()
    drawn = [bend(sample, np.random.default_rng(k), largest=0.04) for k in range(8)]
    areas = np.array([np.bincount(b.labels.clip(0).ravel())[1:] for b in drawn])
    assert areas.std(0).min() > 30
    assert any((b.labels == IGNORE).any() for b in drawn)
    plain = bend(sample, np.random.default_rng(1), largest=0.04, outside="background")
    assert (plain.labels >= 0).all()


def test_elastic_is_part_of_augment_and_off_by_default():
    sample = discs()
    same = augment(sample, STILL, np.random.default_rng(3))
    np.testing.assert_array_equal(same.labels, sample.labels)
    bent = [
        augment(sample, replace(STILL, elastic=0.03), np.random.default_rng(s)) for s in (3, 3, 4)
    ]
    np.testing.assert_array_equal(bent[0].image, bent[1].image)
    assert (bent[0].labels != sample.labels).mean() > 0.01
    assert (bent[0].labels != bent[2].labels).any()
    with pytest.raises(ValueError, match="elastic must be >= 0"):
        AugmentConfig(elastic=-0.1)


def test_bent_labels_are_not_the_same_every_time():
    from embedseg.training.targets import same_geometry

    assert same_geometry(STILL)
    assert not same_geometry(replace(STILL, elastic=0.01))


def test_lanes_are_not_bent():
    road = open_dataset("roads:1")[0]
    from embedseg.data.lane_augment import augment_lanes

    with pytest.raises(ValueError, match=r"lanes are not bent; set augment\.elastic to 0"):
        augment_lanes(road, replace(STILL, elastic=0.01), np.random.default_rng(0))
