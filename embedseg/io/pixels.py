"""The pixels of a file as it stores them, whatever its format; formats are known by content."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from embedseg._cv2 import cv2
from embedseg.errors import InputError

TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
# What the readers raise on files that are cut short or overwritten.
BROKEN = (OSError, SyntaxError, ValueError, EOFError, LookupError, struct.error, zlib.error)
NPY_START = b"\x93NUMPY"
PNG_START = b"\x89PNG\r\n\x1a\n"
# Chunks of a PNG that do not change what is seen; not animation, profiles, or text and EXIF, which
# may say how to turn the picture.
PNG_CHUNKS = frozenset(b"IHDR IDAT IEND pHYs tIME sRGB gAMA cHRM bKGD sBIT".split())
PNG_LARGEST = 1 << 26  # pixels; Pillow judges what is larger
PNG_PLAIN = (b"\x08\0", b"\x08\2", b"\x08\6")  # depth and colour type: grey, RGB, RGBA


class Stored(NamedTuple):
    """What a file holds: pixels (..., channels last where there are any) and what they mean.

    `mode` is Pillow's name of the colour model: "L" for one value a pixel, whatever its dtype,
    "P" for indices into `palette` (256, 3), "RGB", "RGBA", "LA". The pixels are as stored also
    where the file shows them inverted (`white_is_zero`).
    """

    pixels: npt.NDArray[Any]
    mode: str
    palette: npt.NDArray[np.uint8] | None = None
    white_is_zero: bool = False


def read_stored(path: Path, *, upright: bool = False) -> Stored:
    """Read a file; every way in which it can be no picture becomes an InputError.

    `upright` turns the picture as its EXIF orientation says. CMYK, YCbCr and the like come as
    RGB. A stack of pages or slices has an axis in front of (H, W) or (H, W, channels).
    """
    try:
        with path.open("rb") as file:
            start = file.read(26)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; check the path") from None
    except IsADirectoryError:
        raise InputError(f"{path} is a folder, not an image; name a file in it") from None
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror}; check its permissions"
        ) from error
    if not start:
        raise InputError(f"{path} is empty (0 bytes); copy or export it again")
    return _whole(path, _reader_of(start, upright))


def _reader_of(start: bytes, upright: bool) -> Callable[[Path], Stored]:
    """Return what reads a file with this beginning."""
    if start.startswith(NPY_START):
        return _read_npy
    if start.startswith(TIFF_STARTS):
        return _read_tiff
    if start.startswith(PNG_START) and _deep_colour(start):
        return _read_deep_colour
    if start.startswith(PNG_START) and start[24:26] in PNG_PLAIN:
        return lambda path: _read_plain_png(path) or _read_pillow(path, upright=upright)
    return lambda path: _read_pillow(path, upright=upright)


def _whole(path: Path, read: Callable[[Path], Stored]) -> Stored:
    """Call a reader; what it raises on a broken file becomes an InputError."""
    from PIL import Image, UnidentifiedImageError

    try:
        return read(path)
    except InputError:
        raise
    except UnidentifiedImageError:
        raise InputError(
            f"{path} is not an image this package can read; convert it to PNG, JPEG or TIFF"
        ) from None
    except Image.DecompressionBombError as error:
        raise InputError(f"{path} is too large for its format ({error}); save it as TIFF") from None
    except BROKEN as error:
        raise InputError(
            f"{path} is broken or truncated ({error}); copy or export it again"
        ) from error


def _deep_colour(start: bytes) -> bool:
    """Tell whether a PNG has 16 bits in more than one channel, which Pillow would cut to 8."""
    depth, colour_type = start[24:25], start[25:26]  # empty where the file ends before them
    return depth == b"\x10" and colour_type not in (b"", b"\0")


def _read_plain_png(path: Path) -> Stored | None:
    """Read a PNG of 8 bits without a palette, in four fifths of the time that Pillow takes.

    None, for Pillow to see to it: the file is broken, or holds what changes how it is seen. Alpha
    is dropped.
    """
    content = path.read_bytes()
    width, height, _, colour_type = struct.unpack(">IIBB", content[16:26])
    if width * height > PNG_LARGEST or not _chunks(content) <= PNG_CHUNKS:
        return None
    how = cv2.IMREAD_COLOR_RGB if colour_type else cv2.IMREAD_GRAYSCALE
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), how)
    return None if pixels is None else Stored(pixels, "RGB" if colour_type else "L")


def _chunks(content: bytes) -> set[bytes]:
    """Return the names of the chunks of a PNG up to its end; b"" is among them if it has none."""
    found, at = set(), len(PNG_START)
    while b"IEND" not in found and b"" not in found:
        found.add(content[at + 4 : at + 8])
        at += 12 + int.from_bytes(content[at : at + 4], "big")
    return found if at <= len(content) else {b""}


def _read_npy(path: Path) -> Stored:
    pixels = np.load(path, allow_pickle=False)
    colours = pixels.ndim == 3 and pixels.shape[-1] in (3, 4)
    return Stored(pixels, {3: "RGB", 4: "RGBA"}[pixels.shape[-1]] if colours else "L")


def _read_deep_colour(path: Path) -> Stored:
    content = np.frombuffer(path.read_bytes(), np.uint8)  # cv2.imread crashes at odd names
    pixels = cv2.imdecode(content, cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.ndim != 3:
        raise InputError(f"{path} is broken or truncated; copy or export it again")
    if pixels.shape[-1] == 4:
        return Stored(pixels[..., [2, 1, 0, 3]], "RGBA")
    return Stored(pixels[..., ::-1], "RGB")


def _read_pillow(path: Path, *, upright: bool = False) -> Stored:
    from PIL import Image, ImageOps

    with Image.open(path) as file:
        frames = getattr(file, "n_frames", 1)
        if frames > 1 and file.format != "MPO":  # MPO: a phone's JPEG with its preview behind
            raise InputError(f"{path} holds {frames} frames; save the one you mean as PNG")
        image = ImageOps.exif_transpose(file) if upright else file
        image.load()
        if image.mode == "P":
            entries = np.asarray(image.getpalette("RGB") or [], np.uint8).reshape(-1, 3)
            palette = np.zeros((256, 3), np.uint8)
            palette[: len(entries)] = entries
            return Stored(np.asarray(image), "P", palette)
        if image.mode in ("CMYK", "YCbCr", "LAB", "HSV", "PA", "RGBX"):
            image = image.convert("RGB")
        return Stored(np.asarray(image), image.mode if image.mode in ("RGB", "RGBA", "LA") else "L")


def _read_tiff(path: Path) -> Stored:
    import tifffile

    with tifffile.TiffFile(path) as file:
        if not file.series:
            raise InputError(
                f"{path} is broken or truncated (a TIFF without pages); export it again"
            )
        series = file.series[0]
        photometric = tifffile.PHOTOMETRIC(file.pages.first.photometric).name
        if photometric not in ("RGB", "MINISBLACK", "MINISWHITE"):
            return _read_pillow(path)
        white_is_zero = photometric == "MINISWHITE"
        try:
            pixels = series.asarray()
        except ValueError as error:
            if "imagecodecs" not in str(error):
                raise
            stored = _read_compressed_tiff(path, str(error))
            if white_is_zero and stored.mode == "L" and stored.pixels.dtype.itemsize == 1:
                stored = stored._replace(pixels=np.invert(stored.pixels))  # undoes Pillow's own
        else:
            stored = _channels_last(pixels, series.axes)
        return stored._replace(white_is_zero=white_is_zero and stored.mode == "L")


def _channels_last(pixels: npt.NDArray[Any], axes: str) -> Stored:
    """Move the sample axis S, or a channel axis C that means colour, to the end."""
    axis = axes.find("S") if "S" in axes else axes.find("C")
    if axis < 0 or pixels.shape[axis] not in (1, 3, 4):
        return Stored(pixels, "L")
    pixels = np.moveaxis(pixels, axis, -1)
    if pixels.shape[-1] == 1:
        return Stored(pixels[..., 0], "L")
    return Stored(pixels, "RGB" if pixels.shape[-1] == 3 else "RGBA")


def _read_compressed_tiff(path: Path, complaint: str) -> Stored:
    """Read one page through the codecs of Pillow, or of OpenCV where Pillow would cut its depth."""
    import tifffile

    with tifffile.TiffFile(path) as file:
        pages, page = len(file.pages), file.pages.first
    if pages > 1:
        raise InputError(
            f"{path} is compressed in a way that needs one more package ({complaint}); "
            "pip install imagecodecs, or save it uncompressed"
        )
    if page.samplesperpixel > 1 and page.bitspersample > 8:
        return _read_deep_colour(path)
    return _read_pillow(path)
