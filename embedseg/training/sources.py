"""Opening the training and validation images that a configuration names."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from embedseg.data import Dataset, open_dataset, resize
from embedseg.data.check import masks_instead
from embedseg.data.lane_sample import LaneSample, lane_sample
from embedseg.data.overlap import shared_names
from embedseg.data.sample import Sample
from embedseg.data.splits import read_names
from embedseg.inference.normalise import adjust
from embedseg.inference.segment import working_shape
from embedseg.inference.zoom import box_around
from embedseg.io import InputError
from embedseg.training.config import DataConfig

Names = Mapping[str, Sequence[str]]  # of the images: "train", "val"

logger = logging.getLogger(__name__)
SPLIT_SEED = 0  # the held-out images do not depend on the run's seed, so that seeds compare


def open_sources(config: DataConfig, names: Names | None = None) -> tuple[Dataset, Dataset]:
    """Return the training images, at the working size, and the validation images, at their own.

    `names` are those that a run began with: it goes on with them, whatever was added since.
    All are read beforehand, unless `config.cache` is off, so that a damaged file is found at once.
    Raises InputError when either is empty, when they share an image, or when no training image
    has an instance, or one of `names` is missing.
    """
    training, validation = _named(config, names)
    for role, part in (("training", training), ("validation", validation)):
        if not len(part):
            raise InputError(f"{config.train}: no {role} image is left; check the lists")
    training = _prepared(training, config)
    if config.cache:
        training = _read(training, validation, config.train)
    return training, validation


def _named(config: DataConfig, names: Names | None) -> tuple[Dataset, Dataset]:
    """Return the training and validation images as they are, none of them read."""
    if names is not None:
        val = config.val or config.train
        training = _again(_open_again(config.train), names["train"], config.train)
        return training, _again(_open_again(val), names["val"], val)
    everything = open_dataset(config.train)
    if not config.val:
        chosen, held = split_names(everything, config)
        return everything.subset(chosen), _once(everything.subset(held))
    training = _chosen(everything, config.train_list)
    validation = _once(_chosen(open_dataset(config.val), config.val_list))
    shared = shared_names(config.train, training.names, config.val, validation.names)
    if shared:
        raise InputError(
            f"{config.val}: {len(shared)} images are trained on as well ({min(shared)}, ...); "
            "leave --val out to hold some out, or name others, or the score is of images that "
            "were seen"
        )
    return training, validation


def _read(training: Dataset, validation: Dataset, spec: str) -> Dataset:
    """Return the training images in memory; those of validation are only looked at."""
    try:
        training = training.in_memory()
        # not kept: they may be large
        names = dict.fromkeys(validation.names)
        judged = [bool((validation.load(name).labels > 0).any()) for name in names]
    except InputError as error:
        raise InputError(f"{error}; embedseg check-data lists all that is wrong") from error
    ids = [np.unique(sample.labels[sample.labels > 0]).tolist() for sample in training]
    if not any(ids):
        raise InputError(
            f"{spec}: no training image has an instance (every label is 0); run "
            "embedseg check-data on it"
        )
    if not any(judged):
        raise InputError(
            f"{spec}: no validation image has an instance (every label is 0), so that nothing can "
            "be judged; hold out others, by --val-list or --val"
        )
    masks = masks_instead(ids)
    if masks:
        logger.warning("%s: %s", spec, masks)
    return training


def _chosen(samples: Dataset, names: str) -> Dataset:
    return samples.subset(_listed(samples, names)) if names else samples


def _listed(samples: Dataset, names: str) -> list[str]:
    """Return the names of a list, each as often as it stands there and in the data ("20*...")."""
    times = Counter(samples.names)
    listed = read_names(Path(names), samples.names)
    return [name for name in listed for _ in range(times[name] or 1)]


def _once(samples: Dataset) -> Dataset:
    """Return the samples without repetition: what counts twice in a score says less."""
    return samples.subset(dict.fromkeys(samples.names))


def _open_again(spec: str) -> Dataset:
    """Open the data set that a run began with."""
    try:
        return open_dataset(spec)
    except InputError as error:
        raise InputError(
            f"{error}; the run began with the data {spec}: put it back, or correct the path in "
            "its config.yaml"
        ) from error


def _again(samples: Dataset, names: Sequence[str], spec: str) -> Dataset:
    """Return the samples that a run began with."""
    known = set(samples.names)
    missing = [name for name in dict.fromkeys(names) if name not in known]
    if missing:
        more = f" and {len(missing) - 1} more" if missing[1:] else ""
        raise InputError(
            f"{spec}: {missing[0]!r}{more}, which the run began with, is missing now; put it back, "
            "or start a new run"
        )
    return samples.subset(names)


def split_names(everything: Dataset, config: DataConfig) -> tuple[list[str], list[str]]:
    """Return the names to train on and to validate on, from the lists or at random."""
    if config.val_list:
        held = read_names(Path(config.val_list), everything.names)
    elif config.train_list:
        chosen = set(read_names(Path(config.train_list), everything.names))
        held = [name for name in everything.names if name not in chosen]
    else:
        held = _held_out(everything, config.val_fraction)
    if not config.train_list:
        return [name for name in everything.names if name not in set(held)], held
    names = _listed(everything, config.train_list)
    shared = set(names) & set(held)
    if shared:
        raise InputError(
            f"{config.train}: {len(shared)} images are in both lists ({min(shared)}, ...); "
            "remove them from one, or the score is of images that were seen"
        )
    return names, held


def _held_out(everything: Dataset, share: float) -> list[str]:
    """Return whole groups of names, drawn until their share of the images is reached."""
    if not 0 < share < 1:
        raise ValueError(f"val_fraction must be in (0, 1), got {share}")
    grouped = {name for group in everything.groups for name in group}
    names = list(dict.fromkeys(everything.names))  # each once, however often it is trained on
    units = [*everything.groups, *([name] for name in names if name not in grouped)]
    if len(units) < 2:
        raise InputError(f"{len(names)} images cannot be split into training and validation")
    held: list[str] = []
    for index in np.random.default_rng(SPLIT_SEED).permutation(len(units))[:-1]:
        held += units[index]
        if len(held) >= share * len(names):
            break
    logger.info("%d of %d images are held out for validation", len(held), len(names))
    return held


def _prepared(samples: Dataset, config: DataConfig) -> Dataset:
    """Return the samples as inference prepares pictures: cut, resized, adjusted."""

    def load(name: str) -> Sample:
        sample = samples.load(name)
        if config.zoom:
            sample = _cut(sample, config.zoom)
        sample = _resized(sample, working_shape(sample.labels.shape, config.working_size))
        picture = adjust(sample.image, stretch=config.stretch, dark_ground=config.dark_ground)
        return replace(sample, image=picture)

    return Dataset(samples.names, load, samples.splits, samples.groups)


def _cut(sample: Sample, zoom: float) -> Sample:
    """Return the part of the sample that a second look would see."""
    if isinstance(sample, LaneSample):
        raise ValueError("zoom is for objects in pictures, not for lanes; set data.zoom to 0")
    box = box_around(sample.labels > 0, zoom, (sample.labels.shape[0], sample.labels.shape[1]))
    semantic = None if sample.semantic is None else sample.semantic[box]
    return Sample(sample.image[box], sample.labels[box], semantic, sample.name)


def _resized(sample: Sample, size: tuple[int, int]) -> Sample:
    """Return the sample at `size` (h, w); lanes are drawn anew there."""
    if not isinstance(sample, LaneSample):
        return resize(sample, size)
    return lane_sample(sample.image, sample.lanes, size=size, width=sample.width, name=sample.name)
