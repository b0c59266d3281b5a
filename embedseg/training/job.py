"""Everything a configuration asks for, built and ready to train: data, network, optimiser."""

import logging
import math
from dataclasses import asdict, dataclass, fields
from inspect import signature
from typing import Any

import torch

from embedseg.data import Dataset
from embedseg.data.sample import SEMANTIC_IGNORE
from embedseg.data.sparse import sparse_dataset
from embedseg.device import channels_last
from embedseg.inference.spec import ModelSpec
from embedseg.io import InputError
from embedseg.kinds import check_kinds
from embedseg.losses import DiscriminativeLoss
from embedseg.losses.discriminative_options import push_margin
from embedseg.model import build_from_spec
from embedseg.models import EmbeddingNet
from embedseg.models.spatial import SIDE
from embedseg.names import unknown
from embedseg.training.config import LossConfig, TrainConfig
from embedseg.training.distributed import World
from embedseg.training.initial import initialise, warn_of_unit
from embedseg.training.numbers import check_numbers, idle
from embedseg.training.objective import Objective
from embedseg.training.optim import AveragedWeights, build_optimizer
from embedseg.training.sampling import AugmentedStream
from embedseg.training.side_terms import training_heads
from embedseg.training.sources import Names, open_sources
from embedseg.training.targets import targets_of
from embedseg.training.tensorboard import require_tensorboard

logger = logging.getLogger(__name__)
AXES = 2  # of a picture
SPATIAL_SEED = 0.9  # the threshold that the program of arXiv:1906.11109 clusters with


@dataclass(frozen=True, eq=False)
class Job:
    """What the training loop works on; the objects change, their places do not."""

    config: TrainConfig
    where: World
    device: torch.device
    spec: ModelSpec
    stream: AugmentedStream
    validation: Dataset
    network: EmbeddingNet
    objective: Objective
    optimizer: torch.optim.Optimizer
    average: AveragedWeights
    scaler: torch.amp.GradScaler
    steps_per_epoch: int

    @property
    def steps(self) -> int:
        """Optimiser steps of the whole run; 0 where the time limit alone ends it."""
        return self.config.epochs * self.steps_per_epoch

    def describe(self, reason: str) -> str:
        """Return the log's first line."""
        return (
            f"{self.config.network.backbone} on {self.device} ({reason}), mixed precision "
            f"{self.config.amp}, {len(self.stream.samples)} images to train on and "
            f"{len(self.validation)} to validate, {self.length()}"
        )

    def names(self) -> dict[str, list[str]]:
        """Return the names of the images to train on and of those to validate on."""
        return {"train": list(self.stream.samples.names), "val": list(self.validation.names)}

    def length(self) -> str:
        """Return the steps and minutes at which training ends."""
        steps = f"{self.steps} steps" if self.steps else ""
        limit = self.config.time_limit
        return " or ".join(filter(None, [steps, f"{limit:g} minutes" if limit else ""]))


def prepare(
    config: TrainConfig,
    where: World,
    device: torch.device,
    names: Names | None = None,
    *,
    begun: bool = False,
) -> Job:
    """Open the data and build the network with its optimiser, from the run's seed.

    `names` are those of the images of a run that goes on. One that has `begun` has weights of its
    own and does not need those that it started from.
    """
    check_numbers(config)
    for sentence in idle(config):
        logger.warning("%s", sentence)
    if config.tensorboard:
        require_tensorboard()
    training, validation = open_sources(config.data, names)
    if config.labels == "sparse":
        training = sparse_training(config, training)
    elif config.data.keep != 1 or config.data.background_label:
        raise ValueError("data.keep and data.background_label go with --labels sparse")
    check_classes(config, training)
    spec = spec_of(config)
    torch.manual_seed(config.seed)
    network = build_from_spec(spec, pretrained=True)
    if config.network.init and not begun:
        initialise(network, config.network.init)
        warn_of_unit(config.network.init, spec.place_unit)
    channels_last(network.to(device)).train()
    objective = build_objective(config)
    objective.check(network)
    return Job(
        config=config,
        where=where,
        device=device,
        spec=spec,
        stream=AugmentedStream(
            training,
            config.augment,
            copy_paste_share=config.copy_paste,
            seed=config.seed,
            targets=targets_of(config),
        ),
        validation=validation,
        network=network,
        objective=objective,
        optimizer=build_optimizer(
            network,
            name=config.optimizer.name,
            learning_rate=config.optimizer.learning_rate,
            weight_decay=config.optimizer.weight_decay,
        ),
        average=AveragedWeights(network, config.optimizer.ema),
        scaler=torch.amp.GradScaler(device.type, enabled=config.amp == "fp16"),
        steps_per_epoch=config.steps_per_epoch or math.ceil(len(training) / config.batch),
    )


def check_classes(config: TrainConfig, training: Dataset) -> None:
    """Refuse outputs without classes in the images, and classes without an output; InputError."""
    if config.network.classes > 2 and all(sample.semantic is None for sample in training):
        raise InputError(
            f"{config.data.train}: no image has classes, but network.classes is "
            f"{config.network.classes}; put them into semantic/ beside labels/, or leave it 1"
        )
    if not config.data.cache:
        return  # to read every file takes as long as an epoch
    refuse_mixture(config, training)
    known = [s.semantic[s.semantic != SEMANTIC_IGNORE] for s in training if s.semantic is not None]
    highest = max((int(values.max(initial=0)) for values in known), default=0)
    if highest > max(config.network.classes - 1, 1):
        raise InputError(
            f"{config.data.train}: its images have classes 0 to {highest}; set --network.classes "
            f"{highest + 1}"
        )


def refuse_mixture(config: TrainConfig, training: Dataset) -> None:
    """Refuse images without classes beside images with some, where classes matter; InputError."""
    named = {sample.name: sample.semantic is not None for sample in training}
    bare = [name for name, classes in named.items() if not classes]
    if not 0 < len(bare) < len(named):
        return
    begin = f"{config.data.train}: {bare[0]!r} has no classes and other images have; put them "
    if config.network.classes > 2:
        raise InputError(f"{begin}into semantic/ beside labels/, or leave such images out")
    if config.copy_paste:
        raise InputError(f"{begin}into semantic/ beside labels/, or set copy_paste to 0")


def sparse_training(config: TrainConfig, training: Dataset) -> Dataset:
    """Return the training images with sparse labels; ValueError where these cannot be learned."""
    if config.method != "discriminative":
        raise ValueError(f"sparse labels go with the method 'discriminative', not {config.method}")
    if not config.optimizer.ema:
        raise ValueError("sparse labels need a teacher: set optimizer.ema, such as 0.998")
    if config.data.zoom:
        raise ValueError("sparse labels do not tell how far all objects reach; set data.zoom to 0")
    if config.data.background_label and not config.data.val:
        raise ValueError("sparse labels tell no score: name wholly labelled images by --val")
    sparse = sparse_dataset(
        training,
        background_label=config.data.background_label,
        keep=config.data.keep,
        seed=config.seed,
    )
    return sparse.in_memory() if config.data.cache else sparse


def build_objective(config: TrainConfig) -> Objective:
    """Return what the run minimises; ValueError for losses or options that do not exist."""
    known = signature(DiscriminativeLoss).parameters
    own = {field.name for field in fields(LossConfig)}
    for name in config.loss.options:
        if name in own:
            raise ValueError(f"loss.options has no {name}; set --loss.{name}")
        if name not in known:
            raise unknown("loss.options", name, set(known) - own)
    check_kinds("discriminative loss", DiscriminativeLoss, config.loss.options)
    spatial = config.method == "spatial"
    for name in ("alpha", "beta", "gamma", "options"):
        if spatial and getattr(config.loss, name) != getattr(LossConfig(), name):
            raise ValueError(
                f"loss.{name} belongs to the method 'discriminative'; leave it out with 'spatial'"
            )
    return Objective(**asdict(config.loss), spatial=spatial)


def seen_side(config: TrainConfig) -> int:
    """Return the longer side of the pictures that training shows; 0: each has its own."""
    size = config.augment.size or config.data.working_size
    return size if isinstance(size, int) else max(size)


def squares(config: TrainConfig) -> int:
    """Return the side of the squares that training shows of whole pictures; 0: it shows others."""
    size = config.augment.size
    whole = isinstance(config.data.working_size, int) and config.data.working_size > 0
    return size if whole and isinstance(size, int) else 0


def spec_of(config: TrainConfig) -> ModelSpec:
    """Return what the checkpoints of this run say of their model."""
    network, spatial = config.network, config.method == "spatial"
    trust = config.seed_threshold
    if trust is None:
        trust = SPATIAL_SEED if spatial else ModelSpec.seed_threshold
    return ModelSpec(
        backbone=network.backbone,
        method=config.method,
        place_unit=seen_side(config) / SIDE if spatial else 0.0,
        options=dict(network.options),
        embedding_dim=AXES if spatial else network.embedding_dim,
        classes=network.classes,
        coordinates=network.coordinates,
        waves=tuple(network.waves),
        decoder=network.decoder,
        output_stride=network.output_stride,
        working_size=config.data.working_size,
        training_size=0 if spatial else squares(config),
        zoom=config.data.zoom,
        stretch=config.data.stretch,
        dark_ground=config.data.dark_ground,
        delta_v=config.loss.delta_v,
        delta_d=0.5 * _push_margin(config),
        foreground_threshold=config.foreground_threshold,
        clusterer=clusterer_of(config),
        clusterer_options=clusterer_options(config),
        seed_head=network.seed_head,
        centre_head=network.centre_head,
        training_heads=training_heads(config.loss.foreground, network.options),
        seed_threshold=trust,
        core_step=config.core_step,
        components=config.components,
        min_size=config.min_size,
    )


def clusterer_of(config: TrainConfig) -> str:
    """Return the clusterer that reads what the network of this run predicts."""
    if config.method == "spatial":
        return "spatial"
    return "centres" if config.network.centre_head else "mean_shift"


def clusterer_options(config: TrainConfig) -> dict[str, Any]:
    """Return the options of that clusterer; ValueError for one that has a place of its own."""
    for option in ("bandwidth", "seed_threshold"):
        if option in config.clusterer_options:
            raise ValueError(f"clusterer_options has no {option}; set --{option}")
    own = {"bandwidth": config.bandwidth} if config.bandwidth else {}
    if config.method == "spatial" and own:
        raise ValueError("the method 'spatial' learns its bandwidths; leave bandwidth out")
    return {**config.clusterer_options, **own}


def _push_margin(config: TrainConfig) -> float:
    """Return the distance to which the loss pushes means; twice the paper's delta_d."""
    lanenet = config.loss.options.get("hinge") == "lanenet"
    return push_margin(config.loss.delta_d, "lanenet" if lanenet else "paper")
