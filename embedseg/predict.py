"""From a trained model and many pictures to files: labels, overlays, one summary.csv."""

import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from embedseg.inference.result import DEFAULT_PRODUCTS, check_products, write_summary
from embedseg.io import InputError, read_image, read_labels
from embedseg.model import Model

logger = logging.getLogger(__name__)


@dataclass
class Outcome:
    """What became of the pictures: `instances` by name and the reason of each failure by path."""

    instances: dict[str, int] = field(default_factory=dict)
    failures: dict[Path, str] = field(default_factory=dict)
    seconds: float = 0.0


def predict_files(
    model: Model,
    images: Sequence[Path],
    out: Path,
    *,
    products: Sequence[str] = DEFAULT_PRODUCTS,
    foreground: Path | None = None,
    clusterer: Any = None,
) -> Outcome:
    """Segment every picture and write its `products` and one `summary.csv` into `out`.

    `foreground` is a folder of masks (the picture's stem, any image or label format; not 0 is
    foreground) to use instead of the predicted one. A picture that cannot be read or segmented is
    reported and the rest goes on; its reason is in the outcome. Pictures of one stem from several
    folders are told apart by their folders' names.
    """
    check_products(products)
    started, outcome, rows = time.monotonic(), Outcome(), []
    names = unique_names(images)
    for path in tqdm(images, unit="image", disable=None):
        name = names[path]
        try:
            mask = None if foreground is None else read_mask(foreground, path.stem)
            result = model.segment(read_image(path), foreground=mask, clusterer=clusterer)
            result = result.renamed(name)
            result.save_products(out, products)
        except (InputError, ValueError) as error:
            outcome.failures[path] = str(error)
            logger.error("%s", error)
            continue
        rows += result.table()
        outcome.instances[name] = len(result)
    write_summary(out / "summary.csv", rows)
    outcome.seconds = time.monotonic() - started
    return outcome


def unique_names(images: Iterable[Path]) -> dict[Path, str]:
    """Return each picture's stem, with its folder's name before it where stems repeat."""
    images = list(images)
    stems = [path.stem for path in images]
    names = {p: p.stem if stems.count(p.stem) == 1 else f"{p.parent.name}_{p.stem}" for p in images}
    taken: dict[str, int] = {}
    for path, name in names.items():
        taken[name] = taken.get(name, 0) + 1
        if taken[name] > 1:
            names[path] = f"{name}_{taken[name]}"
    return names


def read_mask(folder: Path, stem: str) -> NDArray[np.bool_]:
    """Return the mask of `folder` for `stem`, which _fg, _mask or _label may follow."""
    for ending in ("", "_fg", "_mask", "_label", "_labels"):
        found = sorted(folder.glob(f"{stem}{ending}.*"))
        if found:
            return read_labels(found[0]) != 0
    bare = stem.removesuffix("_rgb")
    if bare != stem:
        return read_mask(folder, bare)
    raise InputError(
        f"{folder}: no foreground mask for {stem}; expected {stem}.png or {stem}_fg.png"
    )
