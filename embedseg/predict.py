"""From a trained model and many pictures to files: labels, overlays, summary.csv, counts.csv.

Several pictures are worked on at a time, each by one thread (`embedseg.side_by_side`).
"""

import logging
import time
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import torch
from tqdm import tqdm

from embedseg.ensemble import Ensemble
from embedseg.errors import sentence_of
from embedseg.inference.result import DEFAULT_PRODUCTS, check_products
from embedseg.inference.segment import check_foreground, segment_outputs
from embedseg.inference.tables import (
    COUNTS,
    SUMMARY,
    Table,
    add_counts,
    add_instances,
    check_tables,
)
from embedseg.io import check_folder, read_image
from embedseg.io.masks import Masks, refuse_shared
from embedseg.io.output_names import unique_names
from embedseg.model import Model
from embedseg.side_by_side import side_by_side

logger = logging.getLogger(__name__)

# What torch's own allocator, drivers, OpenCV and the engines say where memory runs out.
NO_MEMORY = (
    "can't allocate memory", "not enough memory", "out of memory", "insufficient memory",
    "failed to allocate", "bad_alloc", "bad allocation", "alloc_failed",
)  # fmt: skip


@dataclass
class Outcome:
    """What became of the pictures: `instances` by name and the reason of each failure by path."""

    instances: dict[str, int] = field(default_factory=dict)
    failures: dict[Path, str] = field(default_factory=dict)
    seconds: float = 0.0

    @contextmanager
    def noting(self, path: Path, crowded: list[Path] | None = None) -> Iterator[None]:
        """Note and report that `path` failed, if the block raises what a picture can be blamed for.

        That is an InputError or another ValueError, a file that cannot be read or written, and a
        lack of memory. Where that may be for the others at work, `path` is added to `crowded`
        instead, to be tried again alone.
        """
        try:
            yield
        except (ValueError, OSError) as error:  # an InputError is a ValueError
            self.fail(path, sentence_of(error))
        except Exception as error:
            if not lacks_memory(error):
                raise
            if crowded is not None:
                crowded.append(path)
                return
            self.fail(
                path,
                f"{path}: is too large for the memory that is free; make it smaller, cut it into "
                "parts, or use a machine or device with more",
            )

    def fail(self, path: Path, reason: str) -> None:
        """Note and report that `path` failed."""
        self.failures[path] = reason
        logger.error("%s", reason)


def lacks_memory(error: Exception) -> bool:
    """Tell whether an error of numpy, torch, OpenCV or an engine says that memory ran out."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return any(words in str(error).lower() for words in NO_MEMORY)


def predict_files(
    model: Model | Ensemble,
    images: Iterable[str | Path],
    out: str | Path,
    *,
    products: Sequence[str] = DEFAULT_PRODUCTS,
    foreground: str | Path | None = None,
) -> Outcome:
    """Segment every picture and write its `products`, `summary.csv` and `counts.csv` into `out`.

    The summary has a row for each instance, `counts.csv` one for each picture, also for one in
    which nothing was found: image, instances, area (of them all, in pixels), source (its path).
    `foreground` is a folder of masks (the picture's stem, any image or label format; not 0 is
    foreground) to use instead of the predicted one. A picture that cannot be read or segmented is
    reported and the rest goes on; its reason is in the outcome. One for which the memory did not
    suffice beside others is tried again alone at the end. Pictures of one stem are told
    apart by the names of their folders, or by their endings (`unique_names`). Tables of other
    pictures that lie in `out` keep their rows; InputError where results of another picture of the
    same name lie there, or where one mask is that of several pictures.
    """
    products = check_products(products)
    paths = [Path(path) for path in ([images] if isinstance(images, str | Path) else images)]
    started, outcome, names = time.monotonic(), Outcome(), unique_names(paths)
    out = Path(out)
    check_folder(out)
    check_tables(out, names)
    tables: dict[Path, Table] = {}
    masks = None if foreground is None else Masks.of(Path(foreground))
    refuse_shared({path: masks.find(path) for path in paths} if masks else {})
    task = Task(model, masks, out, products, names, Lock())

    def job(path: Path) -> None:
        tables[path] = task.run(path)

    bar = tqdm(total=len(paths), unit="image", disable=None)
    jobs = side_by_side(job, paths, model.device, model.spec.working_size, alike=model.prepared)
    crowded: list[Path] = []
    try:
        with bar, ended(jobs):  # those at work when the user stops it count as well
            for path, work in jobs:
                with outcome.noting(path, crowded):
                    work.result()
                bar.update()
                del work  # a failed one holds all that it had in memory
        for path in crowded:
            with outcome.noting(path):
                job(path)
    finally:
        outcome.instances = {names[path]: len(tables[path]) for path in paths if path in tables}
        for table, add in ((out / SUMMARY, add_instances), (out / COUNTS, add_counts)):
            with outcome.noting(table):
                add(table, names, tables)
    outcome.seconds = time.monotonic() - started
    return outcome


@contextmanager
def ended(jobs: Iterator[Any]) -> Iterator[None]:
    """Close a generator at the end of the block, which waits for what it has at work."""
    try:
        yield
    finally:
        if isinstance(jobs, Generator):
            jobs.close()


class Task(NamedTuple):
    """What is done to every picture, by several threads; see `predict_files`."""

    model: Model | Ensemble
    masks: Masks | None
    out: Path
    products: Sequence[str]
    names: Mapping[Path, str]
    lock: Lock  # a device other than the processor runs one network at a time

    def run(self, path: Path) -> Table:
        """Read a picture, find its instances, write the products; return the measurements."""
        image, name = read_image(path), self.names[path]
        mask = self.masks.read(path) if self.masks else None
        check_foreground(image, mask)
        with self.lock if self.model.device.type != "cpu" else nullcontext():
            outputs = self.model.outputs(image, name, mask)
        result = segment_outputs(
            outputs,
            image,
            self.model.spec,
            foreground=mask,
            clusterer=self.own_clusterer(),
            name=name,
        )
        result.save_products(self.out, self.products)
        return result.table()

    def own_clusterer(self) -> Any:
        """Return a clusterer that no other thread uses, with this thread's share of threads."""
        own = self.model.spec.build_clusterer()
        if "n_threads" in own.get_params():
            own.set_params(n_threads=torch.get_num_threads())
        return own
