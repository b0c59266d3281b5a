"""Training: read it from top to bottom, it is one page.

A run is a pure function of its configuration (and, with `time_limit`, of the machine's speed): the
stream of samples and the schedule depend on the step alone, so that a run that was killed goes on
from its last whole epoch and ends with the same weights.
"""

import logging
import math
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from shlex import quote
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call
from tqdm import tqdm

from embedseg.device import autocast, choose_amp, choose_device, set_threads
from embedseg.inference.normalise import normalise
from embedseg.io import InputError
from embedseg.model import Model, build_from_spec, save_weights
from embedseg.training import run_folder
from embedseg.training.config import TrainConfig
from embedseg.training.distributed import world
from embedseg.training.finish import tune_at_end
from embedseg.training.job import Job, prepare
from embedseg.training.optim import schedule
from embedseg.training.sampling import Batch, loader
from embedseg.training.state import Progress, has_state, load_state, save_state
from embedseg.training.validate import validate

logger = logging.getLogger(__name__)
STEP_SEED = 1_000_003  # dropout of step s is seeded with seed + STEP_SEED * s


def train(config: TrainConfig, *, resume: bool = False) -> Path:
    """Train as `config` says and return the run's folder.

    With `resume` the run in `config.run` goes on from its last whole epoch, with the images that it
    began with. Raises InputError for unusable data, an existing run or a diverging loss, ValueError
    for contradicting options.
    """
    set_threads(config.threads)
    with world(config.device) as (where, device_name):
        device, reason = choose_device(device_name)
        if not resume:
            config = replace(config, amp=choose_amp(config.amp, device))
        run, at = Path(config.run), Progress()
        names = run_folder.stored_names(run) if resume else None
        job = prepare(config, where, device, names, begun=resume and has_state(run))
        if resume:
            at = load_state(run, job.network, job.average, job.optimizer, job.scaler, device)
        elif where.leads:
            facts = {"device": str(device), "reason": reason}
            run_folder.create(config, facts, job.names())
        new = where.leads and not resume
        with run_folder.kept_once_begun(run, at, new=new), run_folder.log_to(run, where.leads):
            if at.finished and not at.unjudged:
                logger.info(
                    "%s is finished after %d epochs; to go on from its weights start another run "
                    "with --network.init %s", run, at.epoch, quote(str(run)),
                )  # fmt: skip
            logger.info("%s", job.describe(reason))
            fit(job, at)
            if config.tune and where.leads:
                device_name, amp = str(device), config.amp
                tune_at_end(run, job.validation, at.seconds, device=device_name, amp=amp)
    return run


def fit(job: Job, at: Progress) -> None:
    """Train epoch by epoch from `at` to the end, writing the run's folder after each."""
    config, where, run = job.config, job.where, Path(job.config.run)
    parallel = where.wrap(job.network, job.device)
    judge = Model(build_from_spec(job.spec), job.spec, device=str(job.device), amp=config.amp)
    board = config.tensorboard and where.leads
    epochs = config.epochs or None
    metrics = run_folder.Metrics(run, epochs=epochs, keep=at.recorded, tensorboard=board)
    clock = _Clock(job, at.seconds)
    silent = None if where.leads else True
    bar = tqdm(total=job.steps or None, initial=at.step, unit="step", disable=silent)
    with bar, metrics.told_if_stopped() if where.leads else nullcontext():
        while at.unjudged or not at.finished:
            row = at.unjudged or run_epoch(job, parallel, at, clock, bar)
            if not at.unjudged:
                at.epoch += 1
                at.finished |= at.epoch == config.epochs
            if where.leads:
                save_weights(run / "weights" / "last.safetensors", job.average.state, job.spec)
            if at.finished or (config.validate_every and at.epoch % config.validate_every == 0):
                at.unjudged, at.seconds = dict(row), clock.seconds()
                if where.leads:  # what was learned is safe, whatever becomes of the validation
                    save_state(run, at, job.network, job.average, job.optimizer, job.scaler)
                judge.network.load_state_dict(job.average.state)
                sheet = run / "samples" / f"epoch_{at.epoch:04d}.png"
                row |= validate(judge, job.validation, where, sheet)
                at.note(row["val_sbd"], patience=config.patience)
                at.unjudged = None
            row["step"], row["seconds"] = at.step, clock.seconds()
            at.seconds = row["seconds"]
            if where.leads:
                if at.best < 0 or (at.stale == 0 and "val_sbd" in row):
                    save_weights(run / "weights" / "best.safetensors", job.average.state, job.spec)
                metrics.add({"epoch": at.epoch, **row}, finished=at.finished)
                save_state(run, at, job.network, job.average, job.optimizer, job.scaler)
                logger.info("%s", describe(at.epoch, config.epochs, row))
    metrics.close(judge, job.validation)


def run_epoch(
    job: Job, parallel: torch.nn.Module, at: Progress, clock: "_Clock", bar: "tqdm[Any]"
) -> dict[str, float]:
    """Take the steps of one epoch; return the mean of each term of the loss, and the rate.

    The mean of the gradient's norm is that of the steps that were taken, nan where none was.
    """
    config, where = job.config, job.where
    job.objective.set_epoch(at.epoch)
    batches = loader(
        job.stream,
        first=at.step,
        last=at.step + job.steps_per_epoch,
        batch=config.batch,
        workers=config.data.workers,
        rank=where.rank,
        world=where.size,
    )
    sums: dict[str, Tensor] = {}
    first, rate, share = at.step, 0.0, clock.share()
    for batch in batches:
        done = max(at.step / job.steps if job.steps else 0.0, share)
        rate = schedule(done, at.step, config.optimizer.warmup_steps)
        for group in job.optimizer.param_groups:
            group["lr"] = config.optimizer.learning_rate * rate
        torch.manual_seed(config.seed + STEP_SEED * (at.step + 1))
        for name, value in step(job, parallel, batch).items():
            sums[name] = sums.get(name, 0.0) + value.float()
        at.step += 1
        bar.update()
        share = clock.share()
        if share >= 1:
            at.finished = True
            break
    row = {name: float(where.mean(value / (at.step - first))) for name, value in sums.items()}
    if not math.isfinite(row["loss"]):
        raise InputError(
            f"{config.run}: the loss became {row['loss']} in epoch {at.epoch + 1}; lower "
            "--optimizer.learning_rate or set --amp off"
        )
    row["gradient_norm"] /= row.pop("taken") or math.nan
    row |= job.objective.scheduled_factors()
    return row | {"lr": config.optimizer.learning_rate * rate}


def step(job: Job, parallel: torch.nn.Module, batch: Batch) -> dict[str, Tensor]:
    """Move the weights once; return the terms of the loss and the gradient's norm.

    "taken" is 0, and so is the norm, where the gradient overflowed in fp16: then no weight moves.
    """
    data = {name: value.to(job.device, non_blocking=True) for name, value in batch.items()}
    if "clean" in data:
        data |= teach(job, data["clean"])
    outputs = forward(job, parallel, data["image"])
    loss, terms = job.objective(outputs, data, job.where.share)
    job.optimizer.zero_grad()
    job.scaler.scale(loss).backward()
    job.scaler.unscale_(job.optimizer)
    norm = torch.nn.utils.clip_grad_norm_(
        job.network.parameters(), job.config.optimizer.clip or math.inf
    )
    job.scaler.step(job.optimizer)
    job.scaler.update()
    job.average.update(job.network)
    taken = norm.isfinite() if job.scaler.is_enabled() else torch.ones_like(norm, dtype=torch.bool)
    return {**terms, "gradient_norm": torch.where(taken, norm, 0.0), "taken": taken}


@torch.no_grad()
def teach(job: Job, clean: Tensor) -> dict[str, Tensor]:
    """Return what a teacher says of the clean view, for the losses that ask.

    "teacher": logits of the network itself; "taught": embeddings of the averaged weights.
    """
    found = {}
    if "consistency" in job.config.loss.foreground:
        found["teacher"] = forward(job, job.network, clean)["semantic"]
    if job.config.labels == "sparse":
        job.network.eval()  # so that no statistics of the average change
        average = partial(functional_call, job.network, job.average.state)
        found["taught"] = forward(job, average, clean)["embedding"]
        job.network.train()
    return found


def forward(job: Job, network: Callable[[Tensor], Any], image: Tensor) -> dict[str, Tensor]:
    """Return what `network` says of uint8 images (B, 3, H, W).

    Raises ValueError for one image where the network normalises what it pools of the whole image.
    """
    normal = normalise(image, job.spec.mean, job.spec.std)
    try:
        with autocast(job.device, job.config.amp):
            outputs: dict[str, Tensor] = network(
                normal.contiguous(memory_format=torch.channels_last)
            )
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):  # torch's words
            raise
        config, least = job.config, 2 * job.where.size
        raise ValueError(
            f"batch must be >= {least} for {config.network.backbone}, got {config.batch}: its "
            "batch norm of what it pools needs 2 images a step in each process; set --batch "
            f"{least} or more"
        ) from error
    return outputs


def describe(epoch: int, epochs: int, row: dict[str, float]) -> str:
    """Return the log's line for an epoch."""
    names = ("loss", "pull", "push", "val_sbd", "val_abs_dic", "val_foreground_dice")
    parts = [f"{name.removeprefix('val_')} {row[name]:.4g}" for name in names if name in row]
    of = f"/{epochs}" if epochs else ""
    return f"epoch {epoch}{of}  " + "  ".join(parts) + f"  {row['seconds']:.0f} s"


class _Clock:
    """Seconds `spent` on the run, earlier sessions included, and the share of its time limit."""

    def __init__(self, job: Job, spent: float) -> None:
        self.where, self.device = job.where, job.device
        self.now = time.process_time if job.config.clock == "cpu" else time.monotonic
        self.start, self.limit = self.now() - spent, 60 * job.config.time_limit

    def seconds(self) -> float:
        return self.now() - self.start

    def share(self) -> float:
        """Return the share of the leading process: all take the same rates and the same end."""
        if not self.limit:
            return 0.0
        return self.where.leading(self.seconds() / self.limit, self.device)
