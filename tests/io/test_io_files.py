"""Pictures and label images from every kind of file, good and bad."""

import io
import os
import re
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from embedseg._cv2 import cv2
from embedseg.io import InputError, read_image, read_labels, write_image, write_labels
from embedseg.io.pixels import _read_plain_png

RNG = np.random.default_rng(0)
COLOURS = RNG.integers(0, 256, (20, 30, 3), dtype=np.uint8)
GREY = COLOURS[..., 0]
DEEP = RNG.integers(0, 4000, (20, 30), dtype=np.uint16)
HOT = np.tile(DEEP, (9, 9))  # a microscope's picture with one hot pixel
HOT[3, 3] = 60000
PICTURE = Image.fromarray(COLOURS)


def pil(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def tiff(array, **options):
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, array, **options)
    return buffer.getvalue()


def npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def cv(array, suffix, *options):
    return cv2.imencode(suffix, array, options)[1].tobytes()


def put(folder, content, name="picture"):
    (folder / name).write_bytes(content)
    return folder / name


def rescaled(array):
    low, high = np.percentile(array, (0.1, 99.9))
    return np.clip(np.rint((array - low) * (255 / (high - low))), 0, 255)


LZW = (cv2.IMWRITE_TIFF_COMPRESSION, 5)
GREY3 = np.dstack([GREY] * 3)
FEW = PICTURE.quantize(9)  # a palette of nine colours, none of them grey
DEEP3 = COLOURS.astype(np.uint16) * 200  # OpenCV writes its channels as B, G, R

EXACT = {
    "png": (pil(PICTURE, "PNG"), COLOURS),
    "bmp": (pil(PICTURE, "BMP"), COLOURS),
    "webp": (pil(PICTURE, "WEBP", lossless=True), COLOURS),
    "npy": (npy(COLOURS), COLOURS),
    "rgba": (pil(PICTURE.convert("RGBA"), "PNG"), COLOURS),
    "grey": (pil(Image.fromarray(GREY), "PNG"), GREY3),
    "grey and alpha": (pil(Image.fromarray(GREY).convert("LA"), "PNG"), GREY3),
    "black and white": (pil(Image.fromarray(GREY > 99), "PNG"), (GREY3 > 99) * 255),
    "palette": (pil(FEW, "PNG"), np.asarray(FEW.convert("RGB"))),
    "palette, gif": (pil(FEW, "GIF"), np.asarray(FEW.convert("RGB"))),
    "tiff": (tiff(COLOURS, photometric="rgb"), COLOURS),
    "tiff, lzw": (pil(PICTURE, "TIFF", compression="tiff_lzw"), COLOURS),
    "tiff, planes": (
        tiff(np.moveaxis(COLOURS, 2, 0), photometric="rgb", planarconfig="separate"),
        COLOURS,
    ),
    "tiff, ImageJ": (tiff(np.moveaxis(COLOURS, 2, 0), imagej=True), COLOURS),
    "tiff, cmyk": (pil(PICTURE.convert("CMYK"), "TIFF"), COLOURS),
    "tiff, one page deep": (tiff(GREY[None], photometric="minisblack"), GREY3),
    "16-bit grey png": (cv(DEEP, ".png"), rescaled(np.dstack([DEEP] * 3))),
    "16-bit colour png": (cv(DEEP3[..., ::-1], ".png"), rescaled(DEEP3)),
    "16-bit tiff": (tiff(DEEP, compression="zlib"), rescaled(np.dstack([DEEP] * 3))),
    "16-bit colour tiff, lzw": (cv(DEEP3[..., ::-1], ".tif", *LZW), rescaled(DEEP3)),
    "float tiff": (tiff(DEEP.astype(np.float32) / 7), rescaled(np.dstack([DEEP] * 3))),
    "hot pixel": (tiff(HOT), rescaled(np.dstack([HOT] * 3))),
    "signed npy": (npy(DEEP.astype(np.int32) - 9999), rescaled(np.dstack([DEEP] * 3))),
    "constant 16-bit": (tiff(np.full((4, 5), 777, np.uint16)), np.zeros((4, 5, 3))),
    "a few bright pixels": (
        tiff(np.pad([[60000]], 60).astype(np.uint16)),
        np.pad(np.full((1, 1, 3), 255), ((60, 60), (60, 60), (0, 0))),
    ),
}


@pytest.mark.parametrize("kind", EXACT)
def test_every_kind_of_picture_becomes_rgb8(tmp_path, kind):
    content, wanted = EXACT[kind]
    image = read_image(put(tmp_path, content))
    assert image.dtype == np.uint8 and image.flags.c_contiguous
    assert image.shape == wanted.shape
    rounding = int(wanted.dtype.kind == "f")  # where the oracle's half is not quite ours
    assert np.abs(image.astype(int) - wanted).max() <= rounding


@pytest.mark.parametrize("mode", ["RGB", "CMYK", "L"])
def test_jpeg(tmp_path, mode):
    smooth = PICTURE.resize((3, 2)).resize((60, 40), Image.Resampling.BICUBIC)
    image = read_image(put(tmp_path, pil(smooth.convert(mode), "JPEG", quality=98)))
    wanted = np.asarray(smooth.convert(mode).convert("RGB"))
    assert np.abs(image.astype(int) - wanted).mean() < 3


def test_a_phones_picture_stands_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise to view
    image = read_image(put(tmp_path, pil(PICTURE, "PNG", exif=exif)))
    assert np.array_equal(image, np.rot90(COLOURS, -1))


def halved(content):
    return content[: len(content) // 2]


def scrambled(content):
    middle = len(content) // 2
    return content[:middle] + bytes(40) + content[middle + 40 :]


ANIMATED = pil(PICTURE, "GIF", save_all=True, append_images=[PICTURE.rotate(90)])
NO_PICTURE = {
    "empty": (b"", "is empty (0 bytes)"),
    "text": (b"plant, leaves\n1, 15\n" * 9, "is not an image"),
    "half a jpeg": (halved(pil(PICTURE, "JPEG")), "is broken or truncated"),
    "half a png": (halved(pil(PICTURE, "PNG")), "is broken or truncated"),
    "half a 16-bit png": (halved(cv(DEEP3, ".png")), "is broken or truncated"),
    "half a tiff": (halved(tiff(DEEP)), "is broken or truncated"),
    "half a zlib tiff": (halved(tiff(DEEP, compression="zlib")), "is broken or truncated"),
    "half a lzw tiff": (halved(pil(PICTURE, "TIFF", compression="tiff_lzw")), "is broken or trunc"),
    "half an npy": (halved(npy(COLOURS)), "is broken or truncated"),
    "start of a png": (pil(PICTURE, "PNG")[:30], "is "),
    "start of a tiff": (tiff(DEEP)[:6], "is broken or truncated"),
    "scrambled png": (scrambled(pil(PICTURE, "PNG")), "is broken or truncated"),
    "scrambled tiff": (scrambled(tiff(DEEP, compression="zlib")), "is broken or truncated"),
    "volume": (tiff(np.stack([DEEP] * 5)), "holds an array of shape (5, 20, 30), not one"),
    "npy volume": (npy(np.zeros((7, 8, 9))), "holds an array of shape (7, 8, 9), not one"),
    "animation": (ANIMATED, "holds 2 frames"),
    "pickle": (npy(np.array([{}], object)), "holds Python objects, as"),
    "words": (npy(np.array([["a"]])), "values"),
    "no pixels": (npy(np.zeros((0, 5), np.uint8)), ""),
}


@pytest.mark.parametrize("kind", NO_PICTURE)
@pytest.mark.parametrize("read", [read_image, read_labels])
def test_what_is_no_picture_is_refused_in_one_sentence(tmp_path, kind, read):
    content, complaint = NO_PICTURE[kind]
    path = put(tmp_path, content)
    with pytest.raises(InputError) as error:
        read(path)
    message = str(error.value)
    assert message.startswith(str(path)) and "\n" not in message
    assert complaint in message or kind == "words"


@pytest.mark.parametrize("read", [read_image, read_labels])
def test_missing_files_and_folders(tmp_path, read):
    with pytest.raises(InputError, match=r"nowhere\.png does not exist"):
        read(tmp_path / "nowhere.png")
    with pytest.raises(InputError, match="is a folder"):
        read(str(tmp_path))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_pixels_that_are_not_finite(tmp_path, value):
    picture = np.zeros((4, 4), np.float32)
    picture[1, 1] = value
    with pytest.raises(InputError, match="has 1 pixels that are NaN or infinite"):
        read_image(put(tmp_path, tiff(picture)))


LABELS = np.kron(np.arange(12).reshape(3, 4), np.ones((5, 6), int))
PALETTE = Image.fromarray(LABELS.astype(np.uint8))
PALETTE.putpalette(RNG.integers(0, 256, 768, dtype=np.uint8).tobytes())

GOOD_LABELS = {
    "palette": (pil(PALETTE, "PNG"), LABELS),
    "palette with transparency": (pil(PALETTE, "PNG", transparency=0), LABELS),
    "palette tiff": (pil(PALETTE, "TIFF"), LABELS),
    "8-bit": (pil(Image.fromarray(LABELS.astype(np.uint8)), "PNG"), LABELS),
    "16-bit": (cv(LABELS.astype(np.uint16) * 5000, ".png"), LABELS * 5000),
    "1-bit": (pil(Image.fromarray(LABELS > 3), "PNG"), LABELS > 3),
    "uint32 tiff": (tiff(LABELS.astype(np.uint32) * 10**8), LABELS * 10**8),
    "lzw tiff": (cv(LABELS.astype(np.uint16) * 300, ".tif", *LZW), LABELS * 300),
    "signed, with ignored": (tiff(LABELS.astype(np.int16) - 1), LABELS - 1),
    "whole floats": (npy(LABELS.astype(np.float64)), LABELS),
    "one page deep": (npy(LABELS[None]), LABELS),
}


@pytest.mark.parametrize("kind", GOOD_LABELS)
def test_every_kind_of_label_file(tmp_path, kind):
    content, wanted = GOOD_LABELS[kind]
    labels = read_labels(put(tmp_path, content))
    assert labels.dtype == np.int32
    assert np.array_equal(labels, wanted)


BAD_LABELS = {
    "rgb": (pil(PICTURE, "PNG"), "holds RGB colours, not label ids"),
    "rgba": (pil(PICTURE.convert("RGBA"), "PNG"), "holds RGB colours"),
    "jpeg": (pil(PICTURE, "JPEG"), "holds RGB colours"),
    "fractions": (tiff(LABELS.astype(np.float32) / 2), "no whole numbers, for example 0.5"),
    "nan": (npy(np.full((3, 3), np.nan)), "no whole numbers, for example nan"),
    "negative": (tiff(LABELS.astype(np.int16) - 7), "holds the label -7"),
    "huge": (npy(LABELS * 2**40), "holds the label 12094627905536"),
    "complex": (npy(LABELS + 1j), "holds complex128 values"),
}


@pytest.mark.parametrize("kind", BAD_LABELS)
def test_what_is_no_label_image_is_refused(tmp_path, kind):
    content, complaint = BAD_LABELS[kind]
    path = put(tmp_path, content)
    with pytest.raises(InputError, match=re.escape(complaint)):
        read_labels(path)


@pytest.mark.parametrize(
    ("suffix", "largest", "dtype"),
    [
        (".png", 255, np.uint8),
        (".png", 256, np.uint16),
        (".png", 65535, np.uint16),
        (".tif", 1, np.uint16),
        (".tif", 65535, np.uint16),
        (".tiff", 65536, np.uint32),
        (".TIF", 2**31 - 1, np.uint32),
        (".npy", 255, np.uint8),
        (".npy", 65536, np.uint32),
    ],
)
def test_labels_come_back_as_written(tmp_path, suffix, largest, dtype):
    labels = np.minimum(LABELS, 3).astype(np.int64)
    labels[0, -1] = largest
    path = tmp_path / f"new/folder/labels{suffix}"
    write_labels(path, labels)
    assert np.array_equal(read_labels(path), labels)
    stored = {
        ".png": lambda: cv2.imread(str(path), cv2.IMREAD_UNCHANGED),
        ".npy": lambda: np.load(path),
    }.get(suffix, lambda: tifffile.imread(path))()
    assert stored.dtype == dtype
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", [".tif", ".npy"])
@pytest.mark.parametrize("largest", [5, 40000])
def test_ignored_pixels_survive(tmp_path, suffix, largest):
    labels = np.array([[-1, 0, largest]])
    write_labels(tmp_path / f"a{suffix}", labels)
    assert np.array_equal(read_labels(tmp_path / f"a{suffix}"), labels)


def test_label_tiffs_are_compressed_by_zlib(tmp_path):
    write_labels(tmp_path / "a.tif", np.zeros((500, 500), int))
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert file.pages.first.compression.name == "ADOBE_DEFLATE"
    assert (tmp_path / "a.tif").stat().st_size < 5000


@pytest.mark.parametrize(
    ("name", "labels", "complaint"),
    [
        ("a.png", LABELS * 6000, "cannot hold the label 66000; write a .tif"),
        ("a.png", LABELS - 1, "cannot hold the label -1; write a .tif"),
        ("a.tif", LABELS - 2, "cannot hold the label -2"),
        ("a.tif", LABELS * 2**30, "cannot hold the label"),
        ("a.png", np.stack([LABELS] * 2), "PNG holds (H, W) only"),
        ("a.jpg", LABELS, "not '.jpg'"),
        ("a.png", LABELS / 2, "must be an integer image, got float64"),
        ("a.png", np.zeros((0, 3), int), "must be an integer image, got int64 (0, 3)"),
    ],
)
def test_labels_that_a_file_cannot_hold(tmp_path, name, labels, complaint):
    with pytest.raises(ValueError, match=re.escape(complaint)):
        write_labels(tmp_path / name, labels)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("image", [COLOURS, GREY, COLOURS[::2, ::-1]])
def test_written_pictures_come_back(tmp_path, image):
    write_image(tmp_path / "a/b.png", image)
    wanted = image if image.ndim == 3 else GREY3
    assert np.array_equal(read_image(tmp_path / "a/b.png"), wanted)


@pytest.mark.parametrize("image", [COLOURS / 2, COLOURS[..., :2], np.zeros((0, 4, 3), np.uint8)])
def test_what_write_image_refuses(tmp_path, image):
    with pytest.raises(ValueError, match="image"):
        write_image(tmp_path / "a.png", image)
    assert not list(tmp_path.iterdir())


def test_counts_of_all_leaves_are_those_of_the_challenge(data_root):
    rows = [line.split(",") for line in (data_root / "cvppp/A1/A1.csv").read_text().splitlines()]
    assert len(rows) == 102
    for name, count in rows:
        labels = read_labels(data_root / "cvppp/A1" / name.replace("_rgb", "_label"))
        assert np.count_nonzero(np.bincount(labels.ravel())[1:]) == int(count), name


def test_leaf_pictures_lose_only_their_alpha(data_root):
    image = read_image(data_root / "cvppp/A1/plant001_rgb.png")
    assert image.shape == (530, 500, 3)
    assert 50 < image.mean() < 200


def test_a_png_cut_in_its_header_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "cut.png"
    for length in (9, 20, 24, 25):
        file.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(length - 8))
        with pytest.raises(InputError, match=r"cut\.png"):
            read_image(file)


@pytest.mark.parametrize(
    ("mode", "extra"),
    [
        *[(mode, {}) for mode in ("L", "RGB", "RGBA")],
        ("L", {"transparency": 7}),
        ("RGB", {"transparency": (7, 8, 9)}),
        ("RGB", {"icc_profile": b"colours"}),
    ],
)
def test_a_png_holds_what_pillow_sees_in_it(tmp_path, mode, extra):
    picture = PICTURE.convert(mode)
    path = put(tmp_path, pil(picture, "PNG", **extra))
    np.testing.assert_array_equal(read_image(path), np.asarray(picture.convert("RGB")))
    if mode == "L":
        np.testing.assert_array_equal(read_labels(path), np.asarray(picture))


def test_a_png_is_turned_for_pictures_alone(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise to view
    path = put(tmp_path, pil(Image.fromarray(GREY), "PNG", exif=exif))
    np.testing.assert_array_equal(read_labels(path), GREY)
    np.testing.assert_array_equal(read_image(path)[..., 0], np.rot90(GREY, -1))


def test_only_plain_and_whole_png_files_are_read_by_opencv(tmp_path):
    def plain(content):
        return _read_plain_png(put(tmp_path, content)) is not None

    whole = pil(PICTURE, "PNG")
    assert plain(whole)
    text = PngInfo()
    text.add_text("Raw profile type exif", "")
    assert not plain(pil(PICTURE, "PNG", pnginfo=text))
    assert not plain(pil(PICTURE, "PNG", icc_profile=b"colours"))
    assert not plain(pil(PICTURE, "PNG", transparency=(1, 2, 3)))
    for end in (whole.index(b"IDAT") + 9, len(whole) - 4, len(whole) - 8, len(whole) - 12):
        assert not plain(whole[:end])
    huge = whole[:16] + b"\0\0\x40\0\0\0\x40\0" + whole[24:]
    assert not plain(huge)


def test_a_png_of_several_frames_is_refused(tmp_path):
    content = pil(PICTURE, "PNG", save_all=True, append_images=[PICTURE.rotate(90)])
    with pytest.raises(InputError, match="holds 2 frames"):
        read_image(put(tmp_path, content))


@pytest.mark.parametrize("shape", [(7, 5, 3), (1, 1), (40, 64, 3)])
def test_a_jpeg_looks_like_its_picture(tmp_path, shape):
    image = np.zeros(shape, np.uint8)
    image[: shape[0] // 2] = (230, 30, 90)[: image.shape[-1]] if image.ndim == 3 else 200
    for name in ("a.jpg", "b.JPG", "c.jpeg"):
        write_image(tmp_path / name, image)
        assert (tmp_path / name).read_bytes()[:2] == b"\xff\xd8"
    back = read_image(tmp_path / "a.jpg").astype(int)
    wanted = image if image.ndim == 3 else image[..., None].repeat(3, 2)
    assert np.abs(back - wanted).max() < 40 and np.abs(back - wanted).mean() < 4


def test_a_jpeg_has_an_end(tmp_path):
    with pytest.raises(ValueError, match=r"65500 rows and columns; use \.png"):
        write_image(tmp_path / "a.jpg", np.zeros((1, 65501), np.uint8))
    assert not list(tmp_path.iterdir())


def test_deep_colour_under_a_name_that_is_no_utf8(tmp_path):
    content, wanted = EXACT["16-bit colour png"]
    image = read_image(put(tmp_path, content, os.fsdecode(b"gr\xfcn.png")))
    np.testing.assert_allclose(image, wanted, atol=1)
