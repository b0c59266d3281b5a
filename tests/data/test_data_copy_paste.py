"""Copy-paste: what is pasted is labelled anew, hides what lies below, and leaves the rest alone."""

import numpy as np
import pytest

from embedseg.data import Sample, copy_paste


def blank(size: int = 60, level: int = 50) -> Sample:
    return Sample(np.full((size, size, 3), level, np.uint8), np.zeros((size, size), np.int32))


def square(size: int = 60, level: int = 200, semantic: bool = False) -> Sample:
    """One bright 14 x 14 square, id 9, class 3, on a dark ground; one cut off by the border."""
    labels = np.zeros((size, size), np.int32)
    labels[20:34, 22:36], labels[:8, :8] = 9, 4
    image = np.where(labels == 9, level, np.where(labels == 4, 90, 10)).astype(np.uint8)
    classes = np.where(labels == 9, 3, 0).astype(np.uint8) if semantic else None
    return Sample(np.repeat(image[..., None], 3, 2), labels, classes)


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_what_is_pasted_is_labelled_where_it_is():
    areas = []
    for seed in range(20):
        done = copy_paste(blank(), square(), rng(seed), count=(1, 1), min_pixels=1)
        bright = done.image[..., 0] > 125
        assert set(np.unique(done.labels)) <= {0, 1}
        assert np.count_nonzero(bright != (done.labels == 1)) <= 6
        areas.append((done.labels == 1).sum())
    assert min(areas) < 150 < 230 < max(areas) < 1.4**2 * 196 * 1.1


def test_cut_off_and_split_instances_are_not_pasted():
    source = square()
    source.labels[24:26] = 0  # id 9 falls into two pieces; 4 touches the border
    done = copy_paste(blank(), source, rng(0), count=(5, 5))
    assert not done.labels.any() and (done.image == 50).all()


def test_ids_go_on_after_those_of_the_target():
    target = blank()
    target.labels[:5, :5] = 40
    done = copy_paste(target, square(), rng(3), count=(1, 1))
    assert set(np.unique(done.labels)) == {0, 40, 41}
    assert (target.labels <= 40).all() and (target.image == 50).all()


def test_what_is_nearly_hidden_is_ignored():
    target = blank()
    target.labels[29:31, :] = 7
    seen = set()
    for seed in range(40):
        done = copy_paste(target, square(), rng(seed), count=(1, 1), min_pixels=105)
        left = np.count_nonzero(done.labels == 7)
        assert left == 0 or left >= 105
        assert ((done.labels == -1) <= (target.labels == 7)).all()
        seen.add(left > 0)
    assert seen == {True, False}


def test_what_is_nearly_hidden_of_a_pasted_one_is_ignored():
    source = blank()
    for place in (10, 30):
        source.labels[place : place + 14, 10:24] = place
    seen = set()
    for seed in range(60):
        done = copy_paste(blank(30), source, rng(seed), count=(2, 2), min_pixels=60)
        areas = np.unique(done.labels[done.labels > 0], return_counts=True)[1]
        assert (areas >= 60).all()
        seen.add(bool((done.labels == -1).any()))
    assert seen == {True, False}


def test_classes_travel_along():
    target = Sample(blank().image, blank().labels, np.ones((60, 60), np.uint8))
    done = copy_paste(target, square(semantic=True), rng(1), count=(1, 1))
    np.testing.assert_array_equal(done.semantic, np.where(done.labels > 0, 3, 1))
    with pytest.raises(ValueError, match="has none to paste"):
        copy_paste(target, square(), rng(1))


def test_seeds_decide():
    first, same, other = (copy_paste(blank(), square(), rng(s)) for s in (1, 1, 2))
    np.testing.assert_array_equal(first.image, same.image)
    assert (first.image != other.image).any()


def test_nothing_to_paste():
    done = copy_paste(square(), blank(), rng(0))
    np.testing.assert_array_equal(done.labels, square().labels)
