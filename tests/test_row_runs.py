"""Runs of rows: the pieces that SciPy finds, their sizes, any width and any layout."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from embedseg.row_runs import paint, row_runs, tally


@given(st.integers(0, 10**9), st.integers(0, 9), st.integers(0, 19), st.floats(0, 1), st.booleans())
@settings(max_examples=150, deadline=None)
def test_pieces_are_scipys(seed: int, height: int, width: int, share: float, corners: bool) -> None:
    rng = np.random.default_rng(seed)
    mask = rng.random((height, width)) < share
    runs, roots = row_runs(mask, corners=corners)
    found = np.zeros((height, width), int)
    for (row, first, end), root in zip(runs, roots, strict=True):
        assert roots[root] == root
        found[row, first:end] = root + 1
    wanted, count = ndimage.label(mask, np.ones((3, 3)) if corners else None)
    assert np.array_equal(found > 0, mask)
    assert len(np.unique(roots)) == count
    assert len(np.unique(np.stack([found[mask], wanted[mask]]), axis=1).T) == count
    some = mask & (rng.random(mask.shape) < 0.5)
    sizes, inside = tally(some, runs, roots)
    assert sizes.sum() == mask.sum() and inside.sum() == some.sum()
    for root in np.unique(roots):
        piece = found == root + 1
        assert sizes[root] == piece.sum() and inside[root] == (some & piece).sum()
        painted = np.zeros_like(mask)
        paint(painted, runs, roots == root)
        assert np.array_equal(painted, piece)


@pytest.mark.parametrize("corners", [False, True])
def test_a_spiral_is_one_piece(corners: bool) -> None:
    mask = np.zeros((64, 64), bool)
    for k in range(0, 30, 2):  # nested rings, each open at one place and joined to the next
        mask[k, k : 63 - k], mask[63 - k, k : 64 - k] = True, True
        mask[k : 64 - k, k], mask[k + 2 : 64 - k, 63 - k] = True, True
        mask[k + 2, 62 - k] = True
    _, roots = row_runs(mask, corners=corners)
    wanted = ndimage.label(mask, np.ones((3, 3)) if corners else None)[1]
    assert len(np.unique(roots)) == wanted


def test_a_mask_that_lies_column_by_column() -> None:
    mask = np.asfortranarray(np.eye(7, dtype=bool))
    assert len(np.unique(row_runs(mask, corners=True)[1])) == 1
    assert len(np.unique(row_runs(mask, corners=False)[1])) == 7
