"""Pictures: whatever a file holds comes as (H, W, 3) uint8; PNG or JPEG goes out."""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from embedseg._cv2 import cv2
from embedseg.errors import InputError
from embedseg.io.atomic import atomic_path
from embedseg.io.pixels import read_stored
from embedseg.io.stored import Stored

RGB = npt.NDArray[np.uint8]  # (H, W, 3)

JPEG_LARGEST = 65500  # rows or columns, of libjpeg
STRETCH = (0.1, 99.9)  # percentiles that become 0 and 255; robust to hot pixels of microscopes


def read_image(path: str | Path) -> RGB:
    """Read a picture as (H, W, 3) uint8, upright as its EXIF orientation says.

    Grey is repeated, alpha dropped, palettes and CMYK converted, a TIFF whose white is zero
    inverted. Depths other than 8 bits (16-bit, float) are rescaled for each image: its percentiles
    0.1 and 99.9 over all channels become 0 and 255; an image of one value becomes black. PNG, JPEG,
    TIFF, BMP, WebP and NPY are known by their content, not their suffix.

    Raises InputError where the file is missing, empty, broken, no picture, a volume, or where its
    pixels are not finite.
    """
    path = Path(path)
    colours = _colours(read_stored(path, upright=True), path)
    return np.ascontiguousarray(_eight_bits(colours, path))


def write_image(path: str | Path, image: npt.NDArray[np.uint8]) -> None:
    """Write an (H, W, 3) or (H, W) uint8 array, whole or not at all.

    As PNG; as JPEG, full colour resolution at quality 95, where the suffix of `path` is .jpg or
    .jpeg, in a tenth of the time and a fraction of the size.
    """
    path, image = Path(path), np.asarray(image)
    if image.dtype != np.uint8 or not (image.ndim == 2 or image.shape[2:] == (3,)):
        raise ValueError(
            f"image must be uint8 of shape (H, W, 3) or (H, W), got {image.dtype} {image.shape}"
        )
    if not image.size:
        raise ValueError(f"image has no pixels: {image.shape}; nothing to write to {path}")
    jpeg = path.suffix.lower() in (".jpg", ".jpeg")
    if jpeg and max(image.shape) > JPEG_LARGEST:
        raise ValueError(f"{path}: a JPEG holds at most {JPEG_LARGEST} rows and columns; use .png")
    with atomic_path(path) as temporary:
        temporary.write_bytes(_jpeg(image) if jpeg else _png(image))


def _png(image: npt.NDArray[np.uint8]) -> bytes:
    from PIL import Image

    file = BytesIO()
    Image.fromarray(image).save(file, format="PNG")
    return file.getvalue()


def _jpeg(image: npt.NDArray[np.uint8]) -> bytes:
    pixels = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    options = [
        *(cv2.IMWRITE_JPEG_QUALITY, 95),
        *(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
    ]
    return bytes(cv2.imencode(".jpg", pixels, options)[1])


def _colours(stored: Stored, path: Path) -> npt.NDArray[Any]:
    """Return (H, W) or (H, W, 3) pixels of the stored depth."""
    pixels, mode, palette, white_is_zero = stored
    if mode in ("RGBA", "LA"):
        pixels = pixels[..., :-1]
    if mode == "LA":
        pixels = pixels[..., 0]
    shape = pixels.shape[:-1] if mode in ("RGB", "RGBA") else pixels.shape
    if len(shape) > 2 and set(shape[:-2]) == {1}:
        pixels = pixels.reshape(pixels.shape[len(shape) - 2 :])
    elif len(shape) != 2:
        raise InputError(
            f"{path} holds an array of shape {stored.pixels.shape}, not one image of shape (H, W) "
            "or (H, W, 3); save the slice you mean"
        )
    if not pixels.size:
        raise InputError(f"{path} has no pixels (shape {pixels.shape}); export it again")
    if white_is_zero and pixels.dtype.kind in "buif":
        pixels = -pixels if pixels.dtype.kind == "f" else np.invert(pixels)
    return pixels if palette is None else palette[pixels]


def _eight_bits(pixels: npt.NDArray[Any], path: Path) -> RGB:
    if pixels.dtype == bool:
        pixels = pixels * np.uint8(255)
    if pixels.dtype.kind not in "uif":
        raise InputError(
            f"{path} holds {pixels.dtype} pixels; export them as 8-bit, 16-bit or float"
        )
    if pixels.dtype != np.uint8:
        pixels = _stretched(pixels, path)
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    return pixels


def _stretched(pixels: npt.NDArray[Any], path: Path) -> npt.NDArray[np.uint8]:
    if pixels.dtype.kind == "f":
        bad = int(np.size(pixels) - np.isfinite(pixels).sum())
        if bad:
            raise InputError(
                f"{path} has {bad} pixels that are NaN or infinite; replace them, for example by 0"
            )
    low, high = np.percentile(pixels, STRETCH)
    if low == high:  # nearly all pixels agree: the few others are the picture
        low, high = pixels.min(), pixels.max()
    scale = 255.0 / (float(high) - float(low)) if high > low else 0.0
    stretched = pixels.astype(np.float64)
    stretched -= float(low)
    stretched *= scale
    return np.clip(np.rint(stretched, out=stretched), 0, 255, out=stretched).astype(np.uint8)
