"""Numbers of a configuration that make no sense, refused by name before any work."""

import math
from operator import attrgetter

from embedseg.training.config import TrainConfig

LEAST = {
    "batch": 1,
    "steps_per_epoch": 0,
    "validate_every": 0,
    "patience": 0,
    "time_limit": 0,
    "threads": 0,
    "seed": 0,
    "bandwidth": 0,
    "core_step": 0,
    "min_size": 0,
    "loss.alpha": 0,
    "loss.beta": 0,
    "loss.gamma": 0,
    "loss.embedding": 0,
    "loss.seed": 0,
    "loss.centre": 0,
    "loss.unlabelled": 0,
    "data.workers": 0,
    "network.embedding_dim": 1,
    "network.classes": 1,
    "network.output_stride": 1,
    "optimizer.learning_rate": 0,
    "optimizer.weight_decay": 0,
    "optimizer.warmup_steps": 0,
    "optimizer.clip": 0,
}
DISTANCES = {"boundary", "generalised_dice_boundary", "hausdorff"}  # losses on distance maps
SHARES = ("copy_paste", "optimizer.ema", "seed_threshold", "augment.elastic", "augment.translation")


def check_numbers(config: TrainConfig) -> None:
    """Raise ValueError for the first number that no run can have."""
    numbers = [(name, least, attrgetter(name)(config)) for name, least in LEAST.items()]
    numbers += [(f"loss.{name}", 0, weight) for name, weight in config.loss.foreground.items()]
    for name, least, value in numbers:
        if not least <= value < math.inf:
            raise ValueError(f"{name} must be >= {least}, got {value}")
    for name in SHARES:
        value = attrgetter(name)(config)
        if value is not None and not 0 <= value <= 1:
            raise ValueError(f"{name} must be in [0, 1], got {value}")
    if config.epochs < (0 if config.time_limit else 1):
        raise ValueError(
            f"epochs must be >= 1, or 0 with a time_limit that ends the run, got {config.epochs}"
        )
    check_pairs(config)
    size = config.data.working_size
    if size < 0 if isinstance(size, int) else min(size) < 1:
        raise ValueError(
            "data.working_size must be a longer side > 0, 0 for the pictures' own, or [HEIGHT, "
            f"WIDTH] > 0, got {size if isinstance(size, int) else list(size)}"
        )


def idle(config: TrainConfig) -> list[str]:
    """Return a sentence for each number that was changed and that nothing reads.

    They are not refused: a comparison may give all its cells what one of them reads.
    """
    seeded = config.method == "spatial" or config.network.seed_head
    readers = (
        ("loss.seed", seeded, "network.seed_head true"),
        ("loss.centre", config.network.centre_head, "network.centre_head true"),
        ("loss.unlabelled", config.labels == "sparse", "labels sparse"),
        ("loss.schedule_step", config.loss.schedule != "constant", "loss.schedule add"),
        ("loss.spacing", not DISTANCES.isdisjoint(config.loss.foreground), "loss.boundary 0.01"),
        ("augment.fill", config.augment.border == "constant", "augment.border constant"),
        ("optimizer.weight_decay", config.optimizer.name == "adamw", "optimizer.name adamw"),
    )
    usual = TrainConfig()
    given = ((name, attrgetter(name)(config), remedy) for name, read, remedy in readers if not read)
    return [
        f"{name} {value} does nothing without {remedy}; set that too, or leave it out"
        for name, value, remedy in given
        if value not in (attrgetter(name)(usual), 0)
    ]


def check_pairs(config: TrainConfig) -> None:
    """Raise ValueError for settings that undo each other, or that do nothing beside another."""
    if config.patience and not config.validate_every:
        raise ValueError(
            "patience counts validations, and validate_every 0 has one, at the end; set it to the "
            "epochs between two, such as --validate_every 5"
        )
    if config.augment.outside == "background" and config.augment.border == "reflect":
        raise ValueError(
            "augment.outside background would label the mirrored objects beyond a picture's border "
            "as background; set --augment.border constant, or leave outside at ignore"
        )
    seeded = config.method == "spatial" or config.network.seed_head
    if config.seed_threshold is not None and not seeded:
        raise ValueError(
            "seed_threshold is of the seed head, and network.seed_head is false; leave it out, or "
            "set core_step"
        )
    spacing = config.loss.spacing
    if spacing and (len(spacing) != 2 or min(spacing) <= 0):
        raise ValueError(
            "loss.spacing must be the height and the width of a pixel, both > 0, got "
            f"{list(spacing)}"
        )
