"""TIFF: orientations, a codec, and several pictures in one file."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps

from embedseg.io import InputError, read_image, read_labels, write_labels

COLOURS = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3) * 3
ORIENTATION = 274


def oriented(path: Path, pixels: np.ndarray, orientation: int) -> Path:
    tag = (ORIENTATION, "H", 1, orientation, True)
    tifffile.imwrite(path, pixels, extratags=[tag])
    return path


def as_viewers_show(pixels: np.ndarray, orientation: int) -> np.ndarray:
    picture = Image.fromarray(pixels)
    picture.getexif()[ORIENTATION] = orientation
    return np.asarray(ImageOps.exif_transpose(picture))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_stand_upright(tmp_path: Path, orientation: int) -> None:
    for pixels in (COLOURS, COLOURS[..., 0]):
        image = read_image(oriented(tmp_path / "a.tif", pixels, orientation))
        seen = as_viewers_show(pixels, orientation)
        np.testing.assert_array_equal(image, np.broadcast_to(seen.T, image.T.shape).T)


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_pictures_of_other_codecs_stand_upright_once(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    Image.fromarray(COLOURS).save(tmp_path / "a.tif", compression="tiff_lzw", exif=exif)
    seen = as_viewers_show(COLOURS, orientation)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), seen)


def test_zstandard_is_read_by_pillow(tmp_path: Path) -> None:
    for pixels in (COLOURS, COLOURS[..., 0].astype(np.uint16) * 300):
        Image.fromarray(pixels).save(tmp_path / "a.tif", compression="zstd")
        if pixels.ndim == 3:
            np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), pixels)
        else:
            np.testing.assert_array_equal(read_labels(tmp_path / "a.tif"), pixels)


def test_labels_and_stacks_lie_as_they_are_stored(tmp_path: Path) -> None:
    labels = COLOURS[..., 0].astype(np.uint16)
    np.testing.assert_array_equal(read_labels(oriented(tmp_path / "a.tif", labels, 6)), labels)
    write_labels(tmp_path / "b.tif", labels.astype(np.int32))
    assert tifffile.TiffFile(tmp_path / "b.tif").pages.first.tags.valueof(ORIENTATION, 1) == 1


def test_pictures_behind_the_first_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with tifffile.TiffWriter(tmp_path / "two.tif") as file:
        file.write(COLOURS, photometric="rgb")
        file.write(COLOURS[::2, ::2], photometric="rgb")  # a preview, or another picture
    np.testing.assert_array_equal(read_image(tmp_path / "two.tif"), COLOURS)
    assert "two.tif: holds 2 pictures; the first, 4 x 6 x 3, is read" in caplog.text


def test_a_fourth_channel_of_a_microscope_is_not_dropped(tmp_path: Path) -> None:
    channels = np.random.default_rng(0).integers(0, 4000, (4, 5, 6)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", channels, imagej=True, metadata={"axes": "CYX"})
    with pytest.raises(InputError, match=r"array of shape \(4, 5, 6\), not one image"):
        read_image(tmp_path / "a.tif")
    tifffile.imwrite(tmp_path / "b.tif", channels[:3], imagej=True, metadata={"axes": "CYX"})
    assert read_image(tmp_path / "b.tif").shape == (5, 6, 3)
