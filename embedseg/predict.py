"""From a trained model and many pictures to files: labels, overlays, one summary.csv.

The next pictures are read, and the last ones clustered and written, while the network works on the
present one.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from embedseg.ensemble import Ensemble
from embedseg.inference.result import (
    DEFAULT_PRODUCTS,
    check_products,
    write_summary,
)
from embedseg.inference.segment import check_foreground, segment_outputs
from embedseg.inference.spec import ModelSpec
from embedseg.io import InputError, read_image, read_labels
from embedseg.model import Model

logger = logging.getLogger(__name__)
AHEAD = 2  # pictures that are read before their turn, and results that wait to be written

Item = TypeVar("Item")
Mask = NDArray[np.bool_]
Picture = NDArray[np.uint8]
Table = list[dict[str, Any]]


@dataclass
class Outcome:
    """What became of the pictures: `instances` by name and the reason of each failure by path."""

    instances: dict[str, int] = field(default_factory=dict)
    failures: dict[Path, str] = field(default_factory=dict)
    seconds: float = 0.0

    def fail(self, path: Path, error: Exception) -> None:
        """Note and report that `path` failed."""
        self.failures[path] = str(error)
        logger.error("%s", error)


def predict_files(
    model: Model | Ensemble,
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
    started, outcome, names = time.monotonic(), Outcome(), unique_names(images)
    finishing: deque[tuple[Path, Future[Table]]] = deque()
    tables: dict[Path, Table] = {}
    load = partial(load_picture, foreground=foreground)
    finish = partial(
        finish_picture, spec=model.spec, clusterer=clusterer, out=out, products=products
    )
    bar = tqdm(total=len(images), unit="image", disable=None)
    with bar, ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as writer:
        for path, loading in read_ahead(reader, load, images):
            try:
                image, mask = loading.result()
                check_foreground(image, mask)
                seen = Seen(names[path], image, mask, model.outputs(image, names[path]))
            except (InputError, ValueError) as error:
                outcome.fail(path, error)
            else:
                finishing.append((path, writer.submit(finish, seen)))
            tables |= collect(finishing, outcome, AHEAD)
            bar.update()
        tables |= collect(finishing, outcome, 0)
    outcome.instances = {names[path]: len(tables[path]) for path in images if path in tables}
    write_summary(out / "summary.csv", [row for path in images for row in tables.get(path, [])])
    outcome.seconds = time.monotonic() - started
    return outcome


def load_picture(path: Path, foreground: Path | None) -> tuple[Picture, Mask | None]:
    """Read a picture and, from the folder `foreground`, its mask."""
    return read_image(path), read_mask(foreground, path.stem) if foreground else None


class Seen(NamedTuple):
    """A picture, the mask that replaces its foreground, and the network's outputs for it."""

    name: str
    image: Picture
    foreground: Mask | None
    outputs: dict[str, torch.Tensor]


def finish_picture(
    seen: Seen, spec: ModelSpec, clusterer: Any, out: Path, products: Sequence[str]
) -> Table:
    """Find the instances, write `products` into `out`; return the measurements."""
    result = segment_outputs(
        seen.outputs,
        seen.image,
        spec,
        foreground=seen.foreground,
        clusterer=clusterer,
        name=seen.name,
    )
    result.save_products(out, products)
    return result.table()


def collect(
    finishing: "deque[tuple[Path, Future[Table]]]", outcome: Outcome, keep: int
) -> dict[Path, Table]:
    """Wait for the oldest of `finishing` until `keep` are left; return their tables."""
    tables = {}
    while len(finishing) > keep:
        path, work = finishing.popleft()
        try:
            tables[path] = work.result()
        except (InputError, ValueError) as error:
            outcome.fail(path, error)
    return tables


def read_ahead(
    pool: ThreadPoolExecutor, load: Callable[[Path], Item], paths: Sequence[Path]
) -> Iterator[tuple[Path, "Future[Item]"]]:
    """Yield each path with its loading, which was begun AHEAD paths before."""
    begun: deque[tuple[Path, Future[Item]]] = deque()
    for path in paths:
        begun.append((path, pool.submit(load, path)))
        if len(begun) > AHEAD:
            yield begun.popleft()
    yield from begun


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
            return np.asarray(read_labels(found[0]) != 0)
    bare = stem.removesuffix("_rgb")
    if bare != stem:
        return read_mask(folder, bare)
    raise InputError(
        f"{folder}: no foreground mask for {stem}; expected {stem}.png or {stem}_fg.png"
    )
