"""The sample sheet: columns that exist, any sizes, one basis for all rows."""

import numpy as np
import pytest

from embedseg.viz import SheetRow, sample_sheet

from .scenes import discs, embed, photo


def test_all_columns_and_a_shared_basis():
    labels = discs(9, 96)
    full = SheetRow(photo(labels), "a", labels, labels, embed(labels), labels > 0, "SBD 1.000")
    sheet, basis = sample_sheet([full, full], tile=100)
    again, held = sample_sheet([full], tile=100, reference=basis)
    assert sheet.dtype == np.uint8 and sheet.shape[1] == 5 * 106 + 6
    assert basis is not None and held is not None
    np.testing.assert_allclose(basis.axes, held.axes, atol=1e-6)
    difference = again[24:].astype(int) - sheet[24 : len(again)]
    assert np.abs(difference).max() <= 2  # a row does not depend on its mates


def test_absent_parts_leave_out_columns():
    labels = discs(4, 64)
    sheet, basis = sample_sheet([SheetRow(photo(labels), prediction=labels)], tile=80)
    assert basis is None and sheet.shape[1] == 2 * 86 + 6


def test_mixed_sizes_strides_and_empty_foreground():
    labels = discs(4, 64)
    wide = np.zeros((30, 90), np.int32)
    rows = [
        SheetRow(photo(labels), "a", labels, labels * 0, embed(labels)[:, ::2, ::2]),
        SheetRow(photo(wide), "b", wide, wide, embed(wide), wide > 0),
    ]
    assert sample_sheet(rows, tile=90)[0].shape[1] == 5 * 96 + 6


def test_no_rows():
    with pytest.raises(ValueError, match="at least one image"):
        sample_sheet([])
