"""The pixels of a file as it stores them, whatever its format; formats are known by content."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from embedseg._cv2 import cv2
from embedseg.errors import InputError
from embedseg.io.stored import Stored, read_deep_colour, read_pillow
from embedseg.io.tiff import read_tiff

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
        return lambda path: read_tiff(path, upright=upright)
    if start.startswith(PNG_START) and _deep_colour(start):
        return read_deep_colour
    if start.startswith(PNG_START) and start[24:26] in PNG_PLAIN:
        return lambda path: _read_plain_png(path) or read_pillow(path, upright=upright)
    return lambda path: read_pillow(path, upright=upright)


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
    try:
        pixels = np.load(path, allow_pickle=False)
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise
        raise InputError(
            f"{path} holds Python objects, as Cellpose's _seg.npy does, and not one array of "
            "pixels; save its masks as TIFF or PNG"
        ) from error
    colours = pixels.ndim == 3 and pixels.shape[-1] in (3, 4)
    return Stored(pixels, {3: "RGB", 4: "RGBA"}[pixels.shape[-1]] if colours else "L")
