"""Plain PNG files are read by OpenCV: the same pixels as Pillow's, and the same complaints."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from embedseg.io import InputError, pixels, read_image
from embedseg.io.pixels import _read_plain_png, read_stored


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (13, 17, 4)).astype(np.uint8)


@pytest.mark.parametrize("channels", [3, 4])
def test_the_same_pixels_as_pillow(tmp_path: Path, picture: np.ndarray, channels: int) -> None:
    file, words = tmp_path / "a.png", PngInfo()
    words.add_text("Author", "nobody")
    Image.fromarray(picture[..., :channels]).save(file, pnginfo=words, dpi=(96, 96))
    stored = _read_plain_png(file)
    assert stored is not None and stored.mode == ("RGB" if channels == 3 else "RGBA")
    np.testing.assert_array_equal(stored.pixels, picture[..., :channels])
    np.testing.assert_array_equal(read_image(file), picture[..., :3])


def test_what_says_more_of_its_pixels_is_left_to_pillow(
    tmp_path: Path, picture: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = Image.fromarray(picture[..., :3])
    turned = Image.Exif()
    turned[0x0112] = 6  # to be turned by a quarter
    image.save(tmp_path / "turned.png", exif=turned)
    image.save(tmp_path / "clear.png", transparency=(1, 2, 3))
    for name in ("turned", "clear"):
        assert _read_plain_png(tmp_path / f"{name}.png") is None
    assert read_image(tmp_path / "turned.png").shape == (17, 13, 3)
    image.save(tmp_path / "large.png")
    monkeypatch.setattr(pixels, "PLAIN_PIXELS", 13 * 17 - 1)
    assert _read_plain_png(tmp_path / "large.png") is None


def test_a_damaged_file_is_left_to_pillow_which_says_how(
    tmp_path: Path, picture: np.ndarray
) -> None:
    file = tmp_path / "a.png"
    Image.fromarray(picture).save(file)
    whole = file.read_bytes()
    for cut in range(26, len(whole), 31):
        file.write_bytes(whole[:cut])
        assert _read_plain_png(file) is None
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="broken or truncated"):
        read_stored(file)
    middle = len(whole) // 2
    file.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
    assert _read_plain_png(file) is None
