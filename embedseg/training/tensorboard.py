"""A run for TensorBoard, through tensorboardX: scalars, sample sheets, the embedding projector.

`tensorboard --logdir runs` shows what lies in the folder `tensorboard` of each run.
"""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from embedseg.data import Dataset
from embedseg.io import read_image
from embedseg.model import Model

FOLDER = "tensorboard"
PROJECTED = 4  # validation images in the projector
POINTS = 2500  # foreground pixels in the projector, over all images


def require_tensorboard() -> None:
    """Raise ValueError, with what to install, where tensorboardX is missing."""
    if find_spec("tensorboardX") is None:
        raise ValueError(
            "tensorboard needs a package that is not installed; "
            "run: pip install 'embedseg-torch[tensorboard]', or leave --tensorboard out"
        )


class Board:
    """Writes the events of one run; on resume the epochs after `keep` are replaced."""

    def __init__(self, run: Path, *, keep: int = 0) -> None:
        require_tensorboard()
        from tensorboardX import SummaryWriter

        self.run = run
        purge = keep + 1 if keep else None
        self.writer = SummaryWriter(str(run / FOLDER), purge_step=purge, flush_secs=10)

    def add(self, row: Mapping[str, float]) -> None:
        """Write the figures of an epoch and its sample sheet, if there is one."""
        epoch = int(row["epoch"])
        for name, value in row.items():
            if name != "epoch" and np.isfinite(value):
                self.writer.add_scalar(_tag(name), value, epoch)
        sheet = self.run / "samples" / f"epoch_{epoch:04d}.png"
        if sheet.is_file():
            self.writer.add_image("samples", read_image(sheet), epoch, dataformats="HWC")
        self.writer.flush()

    def project(self, model: Model, samples: Dataset) -> None:
        """Write foreground pixels of the first validation images, labelled by their instances."""
        count = min(PROJECTED, len(samples))
        vectors: list[np.ndarray[Any, Any]] = []
        names: list[str] = []
        for index in range(count):
            sample = samples[index]
            result = model.segment(sample.image)
            rows, columns = np.nonzero(result.semantic[0] < 0.5)
            some = np.linspace(0, len(rows) - 1, min(len(rows), POINTS // count)).astype(int)
            rows, columns = rows[some], columns[some]
            vectors.append(result.embedding[:, rows, columns].T)
            H, W = result.labels.shape
            h, w = result.embedding.shape[1:]
            ids = result.labels[(rows * H) // h, (columns * W) // w]
            names += [f"{sample.name} {number}" for number in ids.tolist()]
        if names:
            self.writer.add_embedding(np.concatenate(vectors), names, tag="pixels")

    def close(self) -> None:
        """Write what is left."""
        self.writer.close()


def _tag(name: str) -> str:
    """Return the place of a column of metrics.csv among TensorBoard's groups."""
    if name.startswith("val_"):
        return f"validation/{name.removeprefix('val_')}"
    return f"run/{name}" if name in ("lr", "seconds", "step") else f"training/{name}"
