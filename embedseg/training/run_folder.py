"""The folder of a run: what was asked, where it ran, what came out; never that of another run."""

import json
import logging
import os
import platform
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
import yaml

from embedseg.data import Dataset
from embedseg.io import InputError, make_folder, read_rows, write_rows, write_text
from embedseg.model import Model
from embedseg.training.config import TrainConfig, refuse_existing
from embedseg.training.state import Progress
from embedseg.training.tensorboard import Board
from embedseg.viz import plot_metrics, write_results_page

PACKAGES = ("embedseg-torch", "torch", "numpy", "scikit-learn", "hdbscan", "numba", "opencv-python")
LISTS = {"train": "train.txt", "val": "val.txt"}  # the names of the images, one a line


def create(
    config: TrainConfig, facts: Mapping[str, Any], names: Mapping[str, Sequence[str]]
) -> Path:
    """Make the folder with config.yaml, env.json and the `names` of the images ("train", "val").

    Raises InputError where it holds a run already.
    """
    run = Path(config.run)
    refuse_existing(run)
    facts = {**environment(), "folder": str(Path.cwd()), **facts}
    texts = {"config.yaml": dump(config), "env.json": json.dumps(facts, indent=1)}
    texts |= {file: "".join(f"{name}\n" for name in names[part]) for part, file in LISTS.items()}
    try:
        for folder in ("weights", "samples"):
            make_folder(run / folder)
        for file, text in texts.items():
            write_text(run / file, text)
    except BaseException:
        shutil.rmtree(run, ignore_errors=True)
        raise
    return run


@contextmanager
def kept_once_begun(run: Path, at: Progress, *, new: bool) -> Iterator[None]:
    """Remove a `new` folder again where an error comes before the first step.

    So the same name can be given once more, with the option mended.
    """
    try:
        yield
    except Exception:
        if new and not at.step:
            shutil.rmtree(run, ignore_errors=True)
        raise


def stored_names(run: Path) -> dict[str, list[str]] | None:
    """Return the names that `create` wrote ("train", "val"); None where a list is not there."""
    files = {part: run / file for part, file in LISTS.items()}
    if not all(file.is_file() for file in files.values()):
        return None
    texts = {part: file.read_text(encoding="utf-8") for part, file in files.items()}
    return {part: [name for name in text.split("\n") if name] for part, text in texts.items()}


def dump(config: TrainConfig) -> str:
    """Return the configuration as YAML that `embedseg train --config` reads back."""
    return yaml.safe_dump(_plain(asdict(config)), sort_keys=False)


def environment() -> dict[str, Any]:
    """Return versions and hardware."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "packages": versions,
    }


@contextmanager
def log_to(run: Path, leads: bool) -> Iterator[None]:
    """Let the package's log be written to log.txt as well, by the leading process alone."""
    logger = logging.getLogger("embedseg")
    if not leads:
        yield
        return
    handler = logging.FileHandler(run / "log.txt")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()


class Metrics:
    """metrics.csv: one row per epoch, rewritten whole so that a column may come later.

    With each row results.png is drawn and results.html written anew; the page, opened in a
    browser, reloads itself until the last of `epochs`. With `tensorboard` the rows go to
    TensorBoard too.
    """

    def __init__(
        self, run: Path, *, epochs: int | None, keep: int = 0, tensorboard: bool = False
    ) -> None:
        self.run, self.epochs = run, epochs
        self.path, self.picture = run / "metrics.csv", run / "results.png"
        self.board = Board(run, keep=keep) if tensorboard else None
        self.rows: list[dict[str, Any]] = []
        if keep and self.path.is_file():
            self.rows = [r for r in read_rows(self.path)[1] if int(r["epoch"]) <= keep]

    def add(self, row: Mapping[str, float], *, finished: bool) -> None:
        """Append a row and draw the curves anew."""
        self.rows.append({k: _short(v) for k, v in row.items()})
        write_rows(self.path, self.rows)
        plot_metrics(self.path, self.picture)
        write_results_page(self.run, epochs=self.epochs, finished=finished)
        if self.board:
            self.board.add(row)

    @contextmanager
    def told_if_stopped(self) -> Iterator[None]:
        """Let the page say so, and no longer reload, if the user or an error ends the block."""
        try:
            yield
        except BaseException:
            if self.rows:
                with suppress(InputError):  # the disk may be full: what ended the block counts
                    write_results_page(self.run, epochs=self.epochs, stopped=True)
            raise

    def close(self, model: Model, samples: Dataset) -> None:
        """End the run's records; `model` and `samples` are what the projector shows."""
        if self.board:
            self.board.project(model, samples)
            self.board.close()


def _short(value: float) -> float | int:
    return value if isinstance(value, int) else float(f"{value:.6g}")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value
