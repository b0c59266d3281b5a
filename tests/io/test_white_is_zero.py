"""TIFF files whose white is zero: labels as they are stored, pictures as they are seen."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from embedseg.io import read_image, read_labels
from tests.io.test_io_files import GREY, GREY3, LABELS, pil, put, tiff


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("kind", ["?", "u1", "u2", "u4", "i2", "f4"])
def test_white_is_zero_turns_pictures_and_leaves_labels(tmp_path, kind, compression):
    labels = (LABELS > 3 if kind == "?" else LABELS * 7).astype(kind)
    content = tiff(labels, photometric="miniswhite", compression=compression)
    path = put(tmp_path, content)
    np.testing.assert_array_equal(read_labels(path), labels)
    plain = read_image(put(tmp_path, tiff(labels, photometric="minisblack"), "plain"))
    np.testing.assert_allclose(read_image(path), 255 - plain.astype(int), atol=1)


def test_a_mask_is_read_as_tifffile_wrote_it(tmp_path):
    mask = np.zeros((256, 256), bool)
    mask[:60] = True
    labels = read_labels(put(tmp_path, tiff(mask)))
    np.testing.assert_array_equal(labels, mask)


def test_white_is_zero_through_pillows_codecs(tmp_path):
    seen = LABELS > 3  # Pillow keeps what is seen, so it stores the opposite
    path = put(
        tmp_path, pil(Image.fromarray(seen), "TIFF", compression="group4", tiffinfo={262: 0})
    )
    with tifffile.TiffFile(path) as file:
        assert file.pages.first.photometric == tifffile.PHOTOMETRIC.MINISWHITE
    np.testing.assert_array_equal(read_labels(path), ~seen)
    np.testing.assert_array_equal(read_image(path)[..., 0], seen * 255)
    grey = put(
        tmp_path, pil(Image.fromarray(GREY), "TIFF", compression="tiff_lzw", tiffinfo={262: 0})
    )
    np.testing.assert_array_equal(read_labels(grey), 255 - GREY.astype(int))
    np.testing.assert_array_equal(read_image(grey), GREY3)
