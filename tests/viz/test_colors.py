"""Colours: stable, apart for normal and colour-blind eyes, the same for the same id."""

import numpy as np
import pytest

from embedseg.viz.colors import (
    BACKGROUND_COLOR,
    IGNORE_COLOR,
    PALETTE_SIZE,
    instance_colors,
    paint,
    palette,
)

from .palette_rule import OKABE_ITO, _as_seen, oklab, shortfall
from .scenes import discs


def test_begins_with_okabe_ito_and_never_repeats():
    colors = palette()
    assert [tuple(c) for c in colors[:7].tolist()] == list(OKABE_ITO)
    assert len(np.unique(colors, axis=0)) == PALETTE_SIZE >= 300


def test_the_stored_palette_follows_its_rule():
    assert shortfall(palette()[:120]).max() < 1e-3


def test_a_colour_depends_on_the_id_alone():
    full = paint(np.arange(10).reshape(2, 5))
    some = paint(np.array([[7, 3]]))
    assert (some[0, 0] == full[1, 2]).all() and (some[0, 1] == full[0, 3]).all()
    assert tuple(full[0, 0]) == BACKGROUND_COLOR
    assert tuple(instance_colors(np.array(-1))) == IGNORE_COLOR


@pytest.mark.parametrize("kind", ["int8", "uint8", "int16", "uint16", "uint64"])
def test_a_colour_does_not_depend_on_the_type_of_the_id(kind):
    most = min(np.iinfo(kind).max, 40_000)
    ids = np.array([1, 2, 100, most, 0 if kind.startswith("u") else -1])
    assert (instance_colors(ids.astype(kind)) == instance_colors(ids)).all()
    labels = np.resize(ids, (200, 210))
    assert (paint(labels.astype(kind)) == paint(labels)).all()


def test_ids_far_apart_need_no_table():
    huge = np.array([[1, 2_000_000_000]])
    assert (paint(huge) == instance_colors(huge)).all()


def test_black_and_white_in_oklab():
    np.testing.assert_allclose(
        oklab([[0, 0, 0], [255, 255, 255]]), [[0, 0, 0], [1, 0, 0]], atol=1e-4
    )


def test_twelve_first_colours_are_apart_for_every_eye():
    seen = _as_seen(palette()[:12])
    for view in seen:
        apart = np.linalg.norm(view[:, None] - view[None], axis=-1)
        assert apart[np.triu_indices(12, 1)].min() > 0.03
    normal = np.linalg.norm(seen[0][:, None] - seen[0][None], axis=-1)
    assert normal[np.triu_indices(12, 1)].min() > 0.08


def test_neighbours_of_300_instances_differ():
    labels = discs(300, 240)
    pairs = set()
    for a, b in ((labels[:, 2:], labels[:, :-2]), (labels[2:], labels[:-2])):
        touching = (a != b) & (a > 0) & (b > 0)
        pairs |= set(zip(a[touching].tolist(), b[touching].tolist(), strict=True))
    first, second = np.array(sorted(pairs)).T
    lab = oklab(palette())
    apart = np.linalg.norm(lab[first - 1] - lab[second - 1], axis=1)
    assert len(pairs) > 200
    assert np.quantile(apart, 0.01) > 0.05
