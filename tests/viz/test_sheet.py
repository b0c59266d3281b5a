"""The sample sheet: columns that exist, any sizes, one basis for all rows."""

from itertools import permutations

import numpy as np
import pytest
from PIL import Image

from embedseg.viz import SheetRow, sample_sheet, write_sample_sheet
from embedseg.viz.sheet import BASIS
from embedseg.viz.text import text_width, write

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


def test_names_of_other_alphabets_can_be_read():
    ground = np.zeros((20, 20, 3), np.uint8)
    drawn = {write(ground, [(letter, 2, 2)]).tobytes() for letter in "aäößñçåøжλ"}
    assert len(drawn) == 10  # not boxes, one like the other
    assert text_width("жж", 12) > text_width("ж", 12) > 0


def test_no_rows():
    with pytest.raises(ValueError, match="at least one image"):
        sample_sheet([])


def test_sheets_of_two_epochs_keep_their_colours(tmp_path):
    """Between epochs the order of the variances turns round; the colours must not."""
    labels = discs(9, 96)
    means = np.random.default_rng(0).normal(size=(10, 3))
    means = 10 * np.linalg.qr(means - means[1:].mean(0))[0]  # axes of nearly equal variance
    noise = np.random.default_rng(1).normal(0, 0.05, (3, *labels.shape))
    for epoch, stretch in enumerate([(1.3, 1.0, 0.8), (1.0, 1.2, 0.9), (0.8, 1.0, 1.3)]):
        vectors = np.moveaxis(means[labels] * stretch, -1, 0) + noise
        row = SheetRow(photo(labels), "a", None, None, vectors.astype(np.float32), labels > 0)
        for folder in ("run", f"alone{epoch}"):  # the second one has nothing to agree with
            write_sample_sheet(tmp_path / folder / f"epoch_{epoch}.png", [row], tile=96)
    first, *later = (picture(tmp_path / "run" / f"epoch_{k}.png") for k in range(3))
    alone = [picture(tmp_path / f"alone{k}" / f"epoch_{k}.png") for k in range(3)]
    for kept, free in zip(later, alone[1:], strict=True):
        assert np.abs(kept - first).mean() < 6 < np.abs(free - first).mean()
        orders = [np.abs(free[..., list(o)] - first).mean() for o in permutations(range(3))]
        assert min(orders) < np.abs(free - first).mean()  # it is the order that had turned
    assert (tmp_path / "run" / BASIS).is_file()


def picture(path):
    return np.asarray(Image.open(path)).astype(int)


def test_a_damaged_basis_is_no_basis(tmp_path):
    labels = discs(4, 64)
    row = SheetRow(photo(labels), "a", None, None, embed(labels), labels > 0)
    write_sample_sheet(tmp_path / "new" / "e.png", [row])
    for text in ("{", "{}", '{"mean": 1}', "[]"):
        (tmp_path / BASIS).write_text(text)
        write_sample_sheet(tmp_path / "e.png", [row])
        assert (tmp_path / "e.png").read_bytes() == (tmp_path / "new" / "e.png").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == [BASIS, "e.png", "new"]
