"""The instances of one picture, and how they are written to files."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from embedseg.inference.measure import COLUMNS, measure
from embedseg.io import atomic_path, make_folder, write_image, write_labels, write_rows, write_text
from embedseg.io.images import JPEG_LARGEST
from embedseg.names import unknown
from embedseg.resizing import resize_nearest
from embedseg.viz import overlay, pca_rgb

PRODUCTS = ("labels", "overlay", "embedding", "foreground", "pca", "scores")
DEFAULT_PRODUCTS = ("labels", "overlay")
ENDINGS = {"labels": "tif", "overlay": "jpg", "embedding": "npz", "scores": "json"}  # else png


@dataclass(frozen=True, eq=False)
class Segmentation:
    """Instances of one picture of H x W pixels.

    `labels` (H, W) int32, 0 background, instances 1..n; `scores` id -> confidence in [0, 1]
    (mean foreground probability times mean closeness to the cluster's centre);
    `embedding` (E, h, w), in planes or pixel by pixel as the network left it, and `semantic`
    (K', h, w), the class probabilities with background first, on the network's grid; `foreground`
    (H, W) probability at the picture's size; `core` (h, w), where known, the pixels that were
    trusted to found clusters.
    """

    labels: NDArray[np.int32]
    scores: dict[int, float]
    embedding: NDArray[np.float32]
    semantic: NDArray[np.float32]
    foreground: NDArray[np.float32]
    image: NDArray[np.uint8] | None = field(default=None, repr=False)
    core: NDArray[np.bool_] | None = field(default=None, repr=False)
    name: str = "image"

    def __len__(self) -> int:
        return len(self.scores)

    def renamed(self, name: str) -> Self:
        """Return this under another name."""
        return replace(self, name=name)

    def table(self) -> list[dict[str, Any]]:
        """Return one row of measurements per instance; see `measure`."""
        return measure(self.labels, self.scores, self.image, self.name)

    def save(self, folder: str | Path, products: Sequence[str] = DEFAULT_PRODUCTS) -> list[Path]:
        """Write `products` (of PRODUCTS) and `<name>_summary.csv` into `folder`; return the files.

        labels: `<name>_labels.tif` (16 or 32 bit, zlib); overlay: JPEG, or PNG where it is too long
        for one; pca: PNG, of the instances alone; foreground: 8-bit PNG of the probability;
        embedding: `.npz` with embedding and semantic; scores: JSON. Each file appears whole or not
        at all.
        """
        folder = make_folder(folder)
        files = [self._write(folder, product) for product in check_products(products)]
        summary = folder / f"{self.name}_summary.csv"
        write_rows(summary, self.table(), COLUMNS)
        return [*files, summary]

    def save_products(self, folder: Path, products: Iterable[str]) -> list[Path]:
        """Write only `products`, for a caller that gathers the summaries of many pictures."""
        return [self._write(folder, product) for product in products]

    def _write(self, folder: Path, product: str) -> Path:
        ending = ENDINGS.get(product, "png")
        if ending == "jpg" and max(self.labels.shape) > JPEG_LARGEST:
            ending = "png"
        path = folder / f"{self.name}_{product}.{ending}"
        if product == "labels":
            write_labels(path, self.labels)
        elif product == "overlay":
            base = (
                self.image
                if self.image is not None
                else np.zeros((*self.labels.shape, 3), np.uint8)
            )
            write_image(path, overlay(base, self.labels))
        elif product == "pca":
            inside = resize_nearest(self.labels, self.embedding.shape[1:]) > 0
            write_image(path, pca_rgb(self.embedding, inside)[0])
        elif product == "foreground":
            write_image(path, np.round(self.foreground * 255).astype(np.uint8))
        elif product == "embedding":
            with atomic_path(path) as temporary, temporary.open("wb") as file:
                np.savez_compressed(file, embedding=self.embedding, semantic=self.semantic)
        else:
            write_text(path, json.dumps(self.scores, indent=1))
        return path


def check_products(products: Sequence[str]) -> Sequence[str]:
    """Return `products`, a name alone as one; ValueError for one that does not exist."""
    products = [products] if isinstance(products, str) else products
    for product in products:
        if product not in PRODUCTS:
            raise unknown("product", product, PRODUCTS)
    return products
