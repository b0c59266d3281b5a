"""The label operations against slow loops over instances, in the plane and in space."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from embedseg.labels import (
    IGNORE,
    fill_holes,
    filter_small,
    keep_largest_component,
    overlap_table,
    relabel,
    split_components,
)

SHAPES = [(6, 7), (1, 9), (3, 4, 5), (12,), (0, 4)]
OPERATIONS = [
    relabel,
    lambda labels: filter_small(labels, 3),
    split_components,
    keep_largest_component,
    fill_holes,
    lambda labels: overlap_table(labels, labels),
]


@st.composite
def label_images(draw):
    """Small images dense enough for pieces that touch, rings and IGNORE pixels to be common."""
    rng = np.random.default_rng(draw(st.integers(0, 10**9)))
    ids = np.array([IGNORE, 0, 0, *draw(st.sampled_from([(1,), (1, 2), (5, 70000), (3, 10**9)]))])
    return rng.choice(ids, draw(st.sampled_from(SHAPES))).astype(np.int64)


def instances(labels):
    return [int(i) for i in np.unique(labels) if i > 0]


def pieces(mask):
    """Return the 8- or 26-connected pieces of a mask, in the order of their first pixels."""
    numbered, count = ndimage.label(mask, np.ones((3,) * mask.ndim))
    return [numbered == i for i in range(1, count + 1)]


@given(label_images())
@settings(max_examples=30, deadline=None)
def test_relabel(labels):
    new, old_of = relabel(labels)
    assert list(old_of) == list(range(1, len(instances(labels)) + 1))
    assert list(old_of.values()) == instances(labels)
    back = np.vectorize(lambda n: old_of.get(n, n), otypes=[int])(new)
    assert np.array_equal(back, labels)


@given(label_images(), st.integers(0, 8))
@settings(max_examples=30, deadline=None)
def test_filter_small(labels, min_size):
    wanted, dropped = labels.copy(), 0
    for i in instances(labels):
        if np.sum(labels == i) < min_size:
            wanted[labels == i] = 0
            dropped += 1
    got, count = filter_small(labels, min_size)
    assert np.array_equal(got, wanted) and count == dropped


@given(label_images())
@settings(max_examples=50, deadline=None)
def test_split_components(labels):
    wanted, old_of = np.where(labels > 0, 0, labels), {}
    for i in instances(labels):
        for piece in pieces(labels == i):
            old_of[len(old_of) + 1] = i
            wanted[piece] = len(old_of)
    got, map_ = split_components(labels)
    assert np.array_equal(got, wanted) and map_ == old_of


@given(label_images())
@settings(max_examples=50, deadline=None)
def test_keep_largest_component(labels):
    wanted = np.where(labels > 0, 0, labels)
    for i in instances(labels):
        wanted[max(pieces(labels == i), key=np.sum)] = i  # max keeps the first of equals
    assert np.array_equal(keep_largest_component(labels), wanted)


@given(label_images())
@settings(max_examples=60, deadline=None)
def test_fill_holes(labels):
    wanted = labels.copy()
    framed = np.pad(labels, 1, constant_values=IGNORE)
    numbered, count = ndimage.label(labels == 0)
    for i in range(1, count + 1):
        hole = np.pad(numbered == i, 1)
        around = np.unique(framed[ndimage.binary_dilation(hole) & ~hole])
        if len(around) == 1 and around[0] > 0:
            wanted[numbered == i] = around[0]
    assert np.array_equal(fill_holes(labels), wanted)


@given(st.integers(0, 10**9), st.sampled_from(SHAPES), st.sampled_from([1, 10**8]))
@settings(max_examples=60, deadline=None)
def test_overlap_table(seed, shape, factor):
    rng = np.random.default_rng(seed)
    a = np.maximum(rng.integers(-1, 4, shape) * factor, -1)
    b = np.maximum(rng.integers(-1, 3, shape) * factor, -1)
    ids_a, ids_b, counts = overlap_table(a, b)
    counted = (a >= 0) & (b >= 0)
    assert np.array_equal(ids_a, np.unique(a[counted]))
    assert np.array_equal(ids_b, np.unique(b[counted]))
    wanted = [[np.sum((a == i) & (b == j)) for j in ids_b] for i in ids_a]
    assert counts.dtype == np.int64
    assert np.array_equal(counts, np.array(wanted).reshape(counts.shape))


def test_holes_by_hand():
    ring = np.array(
        [
            [5, 5, 5, 0, 2, 2, 2, 0, 7, 7, 7],
            [5, 0, 5, 0, 2, 0, 2, 0, 7, 0, 7],
            [5, 5, 5, 0, 2, 3, 2, 0, 7, -1, 7],
            [0, 0, 0, 0, 2, 2, 2, 0, 7, 7, 7],
        ]
    )
    filled = fill_holes(ring)
    assert filled[1, 1] == 5
    assert filled[1, 5] == 0  # an island of another instance lies in it
    assert filled[1, 9] == 0  # an ignored pixel lies in it
    assert np.sum(filled != ring) == 1


def test_touching_instances_stay_apart_and_corners_connect():
    labels = np.array([[1, 2, 1], [2, 1, 2], [0, 0, 0], [1, 0, 2]])
    split, old_of = split_components(labels)
    assert np.array_equal(split, [[1, 3, 1], [3, 1, 3], [0, 0, 0], [2, 0, 4]])
    assert old_of == {1: 1, 2: 1, 3: 2, 4: 2}


def test_equally_large_pieces_keep_the_first():
    assert keep_largest_component(np.array([[4, 0, 4, 0, 4]])).tolist() == [[4, 0, 0, 0, 0]]


def test_whole_consecutive_instances_are_split_into_themselves():
    labels = np.array([[2, 2, 0], [0, 1, 1]], np.uint8)
    split, old_of = split_components(labels)
    assert np.array_equal(split, labels) and old_of == {1: 1, 2: 2}


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.uint32, np.int64])
def test_the_argument_is_not_written_into(operation, dtype):
    labels = np.random.default_rng(0).integers(0, 4, (9, 9)).astype(dtype)
    labels[0, 0], labels[-1, -1] = np.iinfo(np.uint8).max if dtype == np.uint8 else 30000, 3
    before = labels.copy()
    labels.setflags(write=False)
    operation(labels)
    assert np.array_equal(labels, before)


@pytest.mark.parametrize("operation", OPERATIONS[:2] + OPERATIONS[3:5])
def test_the_dtype_stays(operation):
    result = operation(np.full((3, 3), 200, np.uint8))
    assert (result[0] if isinstance(result, tuple) else result).dtype == np.uint8


def test_more_pieces_than_the_dtype_holds():
    labels = np.zeros((40, 40), np.uint8)
    labels[::2, ::2] = 255
    split, old_of = split_components(labels)
    assert split.max() == len(old_of) == 400
    assert np.array_equal(split > 0, labels > 0)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_what_is_no_label_image_is_refused(operation):
    with pytest.raises(ValueError, match="labels must be integers, got float64"):
        operation(np.zeros((2, 2)))
    with pytest.raises(ValueError, match=r"labels must be >= -1 .* got -2"):
        operation(np.array([[0, -2]]))


def test_masks_are_labels_too():
    mask = np.array([[True, False, True]])
    assert split_components(mask)[0].tolist() == [[1, 0, 2]]
    assert relabel(mask)[1] == {1: 1}


def test_shapes_must_agree():
    with pytest.raises(ValueError, match=r"differ in shape: \(2, 2\) and \(2, 3\)"):
        overlap_table(np.zeros((2, 2), int), np.zeros((2, 3), int))


@pytest.mark.parametrize("operation", OPERATIONS[:5])
def test_the_number_of_instances_does_not_cost(operation):
    """One pass over the image for each of 16,384 instances would take seconds."""
    few, many = (np.kron(np.arange(1, n * n + 1).reshape(n, n), blocks(512 // n)) for n in (4, 128))
    operation(few)  # compiles, where there is something to compile
    assert elapsed(operation, many) < 0.2 + 10 * elapsed(operation, few)


def blocks(size):
    block = np.ones((size, size), int)
    block[-1], block[:, -1], block[1, 1] = 0, 0, 0
    return block


def elapsed(operation, labels):
    start = time.process_time()
    operation(labels)
    return time.process_time() - start
