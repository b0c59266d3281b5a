"""Scores of label files against truth, or of a model on a data set."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

from embedseg.data import open_dataset
from embedseg.data.splits import read_names
from embedseg.ensemble import Ensemble
from embedseg.io import InputError, read_labels
from embedseg.metrics import Scores, score_images
from embedseg.metrics.table import Pair
from embedseg.model import Model

SUFFIXES = ("_labels", "_label", "_mask", "_masks")
LABEL_FILES = (".png", ".tif", ".tiff", ".npy")


def evaluate_folders(prediction: Path, truth: Path) -> tuple[Scores, dict[str, str]]:
    """Score label files of `prediction` against those of `truth` of the same stem.

    Stems are compared without an ending such as _labels or _label. Returns the scores and the
    reason for each truth that could not be scored: no prediction for it, another size, unreadable.
    Raises InputError when nothing can be scored.
    """
    predicted, true = label_files(prediction), label_files(truth)
    failures: dict[str, str] = {}

    def pairs() -> Iterator[Pair]:
        for stem, path in true.items():
            try:
                if stem not in predicted:
                    raise InputError(f"{path}: no prediction of that name in {prediction}")
                found, wanted = read_labels(predicted[stem]), read_labels(path)
                if found.shape != wanted.shape:
                    raise InputError(
                        f"{predicted[stem]}: is {found.shape}, but the truth {path} is "
                        f"{wanted.shape}; predict at the image's own size"
                    )
            except InputError as error:
                failures[stem] = str(error)
                continue
            yield stem, found, wanted

    collected = list(pairs())
    if not collected:
        reason = next(iter(failures.values()), f"{truth} holds no label file")
        raise InputError(f"nothing to score: {reason}")
    return score_images(collected), failures


def label_files(folder: Path) -> dict[str, Path]:
    """Return the label files of a folder (or one file) by bare stem, sorted."""
    if folder.is_file():
        return {"image": folder}
    if not folder.is_dir():
        raise InputError(f"{folder}: no such file or folder of label images")
    files = [p for p in sorted(folder.iterdir()) if p.suffix.lower() in LABEL_FILES]
    marked = [p for p in files if p.stem.endswith(SUFFIXES)]
    return {bare_stem(p.stem): p for p in marked or files}


def bare_stem(stem: str) -> str:
    """Return a stem without an ending such as _rgb or _label, which pairs carry."""
    for suffix in (*SUFFIXES, "_rgb"):
        stem = stem.removesuffix(suffix)
    return stem


def evaluate_model(
    model: Model | Ensemble, data: str, names: Path | None = None, *, true_foreground: bool = False
) -> Scores:
    """Score `model` on the data set `data` ("cvppp:DIR", ...), on the images listed in `names`.

    `true_foreground` gives the model the foreground of the labels, the leaf challenge's protocol.
    """
    samples = open_dataset(data)
    if names is not None:
        samples = samples.subset(read_names(names))

    def pairs() -> Iterator[Pair]:
        for sample in tqdm(samples, total=len(samples), unit="image", disable=None):
            mask = np.asarray(sample.labels > 0) if true_foreground else None
            result = model.segment(sample.image, foreground=mask)
            yield sample.name, result.labels, sample.labels, result.scores

    return score_images(pairs())
