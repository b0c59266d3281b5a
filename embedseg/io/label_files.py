"""Label images on disk: read by index, written in the smallest dtype that holds every id."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from embedseg.errors import InputError
from embedseg.io.atomic import atomic_path
from embedseg.io.pixels import read_stored
from embedseg.labels import IGNORE
from embedseg.names import composed

LARGEST = int(np.iinfo(np.int32).max)
ZLIB_LEVEL = 1  # half of the time of the usual 6; labels become a few kB either way
SUFFIXES = (".png", ".tif", ".tiff", ".npy")  # that are written
READ_SUFFIXES = (*SUFFIXES, ".bmp")  # that are read
MARKS = ("_mask", "_masks", "_label", "_labels")  # at the end of a stem: the file holds labels


def bare_stem(stem: str) -> str:
    """Return a composed stem without an ending such as _rgb or _label, which pairs carry."""
    stem = composed(stem)
    for mark in (*MARKS, "_rgb"):
        stem = stem.removesuffix(mark)
    return stem


def read_labels(path: str | Path) -> npt.NDArray[np.int32]:
    """Read a label image (H, W) as int32: palette files by index, grey ones by value.

    Integers of any depth, booleans, and floats that are whole numbers are taken. -1 (IGNORE) can
    come from formats with signs: NPY and TIFF. A TIFF whose white is zero counts as it is stored.

    Raises InputError where the file is missing, empty, broken, has colours instead of ids, is a
    volume, or where a value is no id: fractional, NaN, below -1 or above 2147483647.
    """
    path = Path(path)
    stored = read_stored(path)
    pixels, mode = stored.pixels, stored.mode
    if mode in ("RGB", "RGBA", "LA"):
        raise InputError(
            f"{path} holds {mode} colours, not label ids; export one channel whose values are "
            "0 for background and 1, 2, ... for instances"
        )
    if pixels.ndim > 2 and set(pixels.shape[:-2]) == {1}:
        pixels = pixels.reshape(pixels.shape[-2:])
    if pixels.ndim != 2 or not pixels.size:
        raise InputError(
            f"{path} holds an array of shape {pixels.shape}, not one label image of shape (H, W); "
            "save the slice you mean"
        )
    return _as_ids(pixels, path)


def write_labels(path: str | Path, labels: npt.NDArray[Any]) -> None:
    """Write a label image, whole or not at all; the suffix of `path` chooses the format.

    .png: 8 or 16 bits, (H, W) only. .tif, .tiff: 16 or 32 bits, zlib. .npy: 8, 16 or 32 bits. The
    depth follows from the largest id. IGNORE makes TIFF and NPY signed; PNG cannot hold it.

    Raises ValueError for another suffix, for ids that the format cannot hold, for no label image.
    """
    path, labels = Path(path), np.asarray(labels)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f"{path}: labels are written as {', '.join(SUFFIXES)}, not {suffix!r}")
    if labels.dtype.kind not in "iub" or labels.ndim < 2 or not labels.size:
        raise ValueError(
            f"{path}: labels must be an integer image, got {labels.dtype} {labels.shape}"
        )
    if suffix == ".png" and labels.ndim != 2:
        raise ValueError(f"{path}: PNG holds (H, W) only, got {labels.shape}; write a .tif instead")
    dtype = _smallest(int(labels.min()), int(labels.max()), suffix, path)
    with atomic_path(path) as temporary:
        _save(temporary, labels.astype(dtype), suffix)


def _as_ids(pixels: npt.NDArray[Any], path: Path) -> npt.NDArray[np.int32]:
    if pixels.dtype.kind == "f" and not np.array_equal(pixels, np.rint(pixels)):
        wrong = pixels[pixels != np.rint(pixels)].flat[0]
        raise InputError(
            f"{path} holds values that are no whole numbers, for example {wrong:.6g}; "
            "export label ids as integers"
        )
    if pixels.dtype.kind not in "iubf":
        raise InputError(f"{path} holds {pixels.dtype} values; export label ids as integers")
    low, high = pixels.min(), pixels.max()
    if low < IGNORE or high > LARGEST:
        raise InputError(
            f"{path} holds the label {low if low < IGNORE else high}; ids go from 1 to {LARGEST}, "
            "0 is background, -1 is ignored: renumber them"
        )
    return np.ascontiguousarray(pixels.astype(np.int32))


def _smallest(low: int, high: int, suffix: str, path: Path) -> np.dtype[Any]:
    """Return the smallest dtype of the format that holds all of low..high."""
    depths = {".png": (8, 16), ".npy": (8, 16, 32)}.get(suffix, (16, 32))
    if low < (0 if suffix == ".png" else IGNORE):
        remedy = "write a .tif or .npy, or set it to 0" if low == IGNORE else "renumber the ids"
        raise ValueError(f"{path}: {suffix} cannot hold the label {low}; {remedy}")
    for bits in depths:
        dtype = np.dtype(f"{'int' if low < 0 else 'uint'}{bits}")
        if high <= min(np.iinfo(dtype).max, LARGEST):
            return dtype
    remedy = "write a .tif, or relabel" if suffix == ".png" else "relabel"
    raise ValueError(f"{path}: {suffix} cannot hold the label {high}; {remedy}")


def _save(path: Path, labels: npt.NDArray[Any], suffix: str) -> None:
    if suffix == ".npy":
        np.save(path, labels)
    elif suffix == ".png":
        from PIL import Image

        Image.fromarray(labels).save(path, format="PNG")
    else:
        import tifffile

        tifffile.imwrite(
            path,
            labels,
            compression="zlib",
            compressionargs={"level": ZLIB_LEVEL},
            photometric="minisblack",
        )
