"""What a picture's file holds, and reading it by Pillow or OpenCV, whatever its format."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from embedseg._cv2 import cv2
from embedseg.errors import InputError


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


def read_deep_colour(path: Path) -> Stored:
    """Read 16 bits in several channels, which Pillow would cut to 8; by OpenCV."""
    content = np.frombuffer(path.read_bytes(), np.uint8)  # cv2.imread crashes at odd names
    pixels = cv2.imdecode(content, cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.ndim != 3:
        raise InputError(f"{path} is broken or truncated; copy or export it again")
    if pixels.shape[-1] == 4:
        return Stored(pixels[..., [2, 1, 0, 3]], "RGBA")
    return Stored(pixels[..., ::-1], "RGB")


def read_pillow(path: Path, *, upright: bool = False) -> Stored:
    """Read any format of Pillow; `upright` turns the picture as its EXIF orientation says."""
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
