"""Scores of label files against truth, or of a model on a data set."""

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

from embedseg.data import open_dataset
from embedseg.data.of_run import trained_on
from embedseg.data.splits import read_names
from embedseg.ensemble import Ensemble
from embedseg.io import InputError, read_labels
from embedseg.io.label_files import MARKS, READ_SUFFIXES, bare_stem
from embedseg.metrics import Scores
from embedseg.metrics.table import Pair, score_image
from embedseg.model import Model
from embedseg.names import composed

_log = logging.getLogger(__name__)


def evaluate_folders(prediction: str | Path, truth: str | Path) -> tuple[Scores, dict[str, str]]:
    """Score label files of `prediction` against those of `truth` of the same stem.

    Stems are compared without an ending such as _labels or _label. Either may be one file: it is
    then scored alone, whatever it is called if both are. Returns the scores and the reason for each
    truth that could not be scored: no prediction for it, another size, unreadable. Predictions
    without a truth are named in a warning. Raises InputError when nothing can be scored.
    """
    prediction, truth = Path(prediction), Path(truth)
    predicted, true = _both(prediction, truth)
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

    return score_pairs(pairs(), failures, truth), failures


def _both(prediction: Path, truth: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    """Return the predictions and the truths to score by stem; see `evaluate_folders`."""
    predicted, true = label_files(prediction), label_files(truth)
    if prediction.is_file():
        stem = next(iter(true if truth.is_file() else predicted))
        if stem not in true:
            raise InputError(f"{truth}: no label file of the name of {prediction}; name one file")
        return {stem: prediction}, {stem: true[stem]}
    extra = sorted({*predicted} - {*true})
    if extra and not truth.is_file():
        _log.warning(
            "%s: no truth for %d predictions, such as %s; they are not scored",
            truth, len(extra), predicted[extra[0]].name,
        )  # fmt: skip
    return predicted, true


def label_files(folder: Path) -> dict[str, Path]:
    """Return the label files of a folder (or one file) by bare stem, sorted, hidden ones left out.

    Where some are marked as labels by their names (`a_label.png`), the others are none. Raises
    InputError where two files are left for one stem.
    """
    if folder.is_file():
        return {bare_stem(folder.stem): folder}
    if not folder.is_dir():
        raise InputError(f"{folder}: no such file or folder of label images")
    files = [p for p in sorted(folder.iterdir()) if p.suffix.lower() in READ_SUFFIXES]
    files = [p for p in files if not p.name.startswith(".")]
    marked = [p for p in files if p.stem.endswith(MARKS)]
    chosen: dict[str, Path] = {}
    for path in marked or files:
        other = chosen.setdefault(bare_stem(path.stem), path)
        if other != path:
            raise InputError(f"{path}: {other.name} is of the same picture; keep one of them")
    stems = {p.name: composed(p.stem) for p in files}
    lone = [p for p, s in stems.items() if not {bare_stem(s), s.rpartition("_")[0]} & {*chosen}]
    if lone:
        _log.warning(
            "%s: %s is marked as labels by its name, so %d files that are not, such as %s, are "
            "left out",
            folder, marked[0].name, len(lone), lone[0],
        )  # fmt: skip
    return chosen


def evaluate_model(
    model: Model | Ensemble,
    data: str,
    names: str | Path | None = None,
    *,
    true_foreground: bool = False,
) -> tuple[Scores, dict[str, str]]:
    """Score `model` on the data set `data` ("cvppp:DIR", ...), on the images listed in `names`.

    `true_foreground` gives the model the foreground of the labels, the leaf challenge's protocol.
    Returns the scores and the reason for each image that could not be scored. Raises InputError
    when nothing can be.
    """
    samples = open_dataset(data)
    if names is not None:
        listed = read_names(Path(names), samples.names)
        samples = samples.subset(dict.fromkeys(listed))  # each once
        if not len(samples):
            raise InputError(f"{names}: lists no image")
    failures: dict[str, str] = {}

    def pairs() -> Iterator[Pair]:
        for name in tqdm(samples.names, unit="image", disable=None):
            try:
                sample = samples.load(name)
                mask = np.asarray(sample.labels > 0) if true_foreground else None
                result = model.segment(sample.image, foreground=mask)
            except InputError as error:
                failures[name] = str(error)
                continue
            yield name, result.labels, sample.labels, result.scores

    return score_pairs(pairs(), failures, data), failures


def warn_of_training(runs: Iterable[Path], data: str, names: Path | None) -> None:
    """Warn where the images of `data`, or those listed in `names`, were used to train a run."""
    samples = open_dataset(data)
    scored = samples.names if names is None else read_names(names, samples.names)
    for run in runs:
        seen = trained_on(run, data, scored)
        if seen:
            _log.warning(
                "%s was trained on %d of these images (%s, ...), so their scores say little; "
                "name others by --list, such as %s",
                run, len(seen), min(seen), run / "val.txt",
            )  # fmt: skip


def score_pairs(pairs: Iterator[Pair], failures: dict[str, str], where: object) -> Scores:
    """Return the scores of the pairs; InputError where there is none, with the first failure."""
    images = tuple(score_image(*pair) for pair in pairs)
    if not images:
        reason = next(iter(failures.values()), f"{where} holds no labels")
        raise InputError(f"nothing to score: {reason}")
    return Scores(images)
