"""One budget for all cells: minutes or steps, with the schedule of each run fitted to it."""

from dataclasses import replace

from embedseg.training.config import TrainConfig

EPOCH = range(20, 101)  # steps between two saved states of a run with a budget of steps


def with_budget(config: TrainConfig, *, minutes: float, steps: int) -> TrainConfig:
    """Return `config` ending after `minutes` or `steps` (0: not limited so; both 0: as it is).

    Only the end is validated, so that the budget is spent on training, and nothing is tuned: the
    images that would be tuned on are those that are scored. Raises ValueError for both
    limits at once or a negative one.
    """
    if minutes < 0 or steps < 0 or (minutes and steps):
        raise ValueError(f"give --minutes or --steps, > 0, not minutes {minutes} and steps {steps}")
    config = replace(config, tune=False)
    if minutes:
        return replace(config, epochs=0, time_limit=minutes, validate_every=0, patience=0)
    if steps:
        length = max((n for n in EPOCH if steps % n == 0), default=steps)
        return replace(
            config, epochs=steps // length, steps_per_epoch=length, time_limit=0.0,
            validate_every=0, patience=0,
        )  # fmt: skip
    return config
