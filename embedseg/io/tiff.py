"""TIFF: stacks, depths beyond 8 bits, planes of colours, orientations."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from embedseg.errors import InputError
from embedseg.io.stored import Stored, read_deep_colour, read_pillow

_log = logging.getLogger(__name__)

ORIENTATION = 274  # the tag
# Orientation -> quarter turns against the clock, after the columns were reversed or not.
TURNS = {
    2: (0, True), 3: (2, False), 4: (2, True), 5: (1, True), 6: (3, False), 7: (3, True),
    8: (1, False),
}  # fmt: skip


def read_tiff(path: Path, *, upright: bool = False) -> Stored:
    """Read the first picture of a TIFF, which may be a stack; a warning tells of others.

    `upright` turns it as its orientation says. Palettes, CMYK and the like are read by Pillow.
    """
    import tifffile

    with tifffile.TiffFile(path) as file:
        if not file.series:
            raise InputError(
                f"{path} is broken or truncated (a TIFF without pages); export it again"
            )
        series, first = file.series[0], file.pages.first
        if len(file.series) > 1:
            shape = " x ".join(map(str, series.shape))
            _log.warning(
                "%s: holds %d pictures; the first, %s, is read", path,
                len(file.series), shape,
            )  # fmt: skip
        photometric = tifffile.PHOTOMETRIC(first.photometric).name
        if photometric not in ("RGB", "MINISBLACK", "MINISWHITE"):
            return read_pillow(path, upright=upright)
        white_is_zero = photometric == "MINISWHITE"
        orientation = first.tags.valueof(ORIENTATION, 1) if upright else 1
        try:
            pixels = series.asarray()
        except (ValueError, ImportError) as error:  # Zstandard asks for a module of Python 3.14
            if isinstance(error, ValueError) and "imagecodecs" not in str(error):
                raise
            stored = _read_compressed_tiff(path, str(error), orientation)
            if white_is_zero and stored.mode == "L" and stored.pixels.dtype.itemsize == 1:
                stored = stored._replace(pixels=np.invert(stored.pixels))  # undoes Pillow's own
        else:
            stored = turned(_channels_last(pixels, series.axes), orientation)
        return stored._replace(white_is_zero=white_is_zero and stored.mode == "L")


def _channels_last(pixels: npt.NDArray[Any], axes: str) -> Stored:
    """Move the sample axis S, or a channel axis C that means colour, to the end."""
    axis = axes.find("S") if "S" in axes else axes.find("C")
    colours = (1, 3, 4) if "S" in axes else (1, 3)  # a fourth channel of a microscope is no alpha
    if axis < 0 or pixels.shape[axis] not in colours:
        return Stored(pixels, "L")
    pixels = np.moveaxis(pixels, axis, -1)
    if pixels.shape[-1] == 1:
        return Stored(pixels[..., 0], "L")
    return Stored(pixels, "RGB" if pixels.shape[-1] == 3 else "RGBA")


def turned(stored: Stored, orientation: int) -> Stored:
    """Return one picture as an EXIF orientation, 1 to 8, shows it; stacks as they are."""
    pixels = stored.pixels
    if orientation not in TURNS or pixels.ndim != (2 if stored.mode == "L" else 3):
        return stored
    turns, mirrored = TURNS[orientation]
    pixels = np.rot90(pixels[:, ::-1] if mirrored else pixels, turns)
    return stored._replace(pixels=np.ascontiguousarray(pixels))


def _read_compressed_tiff(path: Path, complaint: str, orientation: int) -> Stored:
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
        return turned(read_deep_colour(path), orientation)
    return read_pillow(path, upright=orientation != 1)
