"""Training H-Net in a run folder: config.yaml, env.json, metrics.csv, weights/, state.pt.

The network sees thumbnails, so a whole data set is kept in memory: pictures (N, 3, 64, 128) and the
points of their lanes. Adam with a one-cycle learning rate; half of the batches are mirrored. A run
that is continued ends with the same weights, bit for bit on CPU, as one that was not interrupted.
"""

import json
import logging
import math
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, NamedTuple

import torch
import yaml
from torch import Tensor, nn
from tqdm import tqdm

from embedseg.data import open_dataset
from embedseg.data.lane_sample import LaneSample
from embedseg.data.sample import Sample
from embedseg.device import choose_device
from embedseg.io import InputError, check_folder, read_rows, write_rows, write_text
from embedseg.lanes.hnet import HNet, cleared, hnet_loss, lane_points, save_hnet, thumbnail
from embedseg.training.config import refuse_existing
from embedseg.training.run_folder import environment
from embedseg.training.state import write_state

logger = logging.getLogger(__name__)
WIDE = 1280  # px; errors are told as of a picture this wide
CLIP = 1.0  # longest gradient


@dataclass(frozen=True, kw_only=True)
class HNetConfig:
    """What `embedseg train-hnet` is asked: data sets as for `train`, of lanes; see the command."""

    data: str
    val: str = ""
    run: str = "runs/hnet"
    steps: int = 1000
    batch: int = 32
    learning_rate: float = 1e-3
    degree: int = 2
    every: int = 100
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "degree", "every", "learning_rate"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be > 0, got {getattr(self, name)}")


class LaneSet(NamedTuple):
    """Thumbnails (N, 3, 64, 128) uint8, lane points (N, L, P, 2) and their mask (N, L, P)."""

    pictures: Tensor
    points: Tensor
    mask: Tensor

    def chosen(self, index: Tensor) -> "LaneSet":
        """Return some of the pictures."""
        return LaneSet(*(values[index] for values in self))


def gather(samples: Iterable[Sample], total: int | None = None) -> LaneSet:
    """Return the thumbnails and lane points of samples; InputError for pictures without lanes."""
    pictures, points, masks = [], [], []
    for sample in tqdm(samples, total=total, unit="picture", desc="reading", disable=None):
        if not isinstance(sample, LaneSample):
            raise InputError(f"{sample.name}: has labels but no lanes; use tusimple:, roads: ...")
        point, mask = lane_points(sample.lanes)
        pictures.append(thumbnail(sample.image))
        points.append(point)
        masks.append(mask)
    if not pictures:
        raise InputError("no picture with lanes was found; H-Net learns from at least one")
    return LaneSet(torch.stack(pictures), torch.stack(points), torch.stack(masks))


@dataclass
class Job:
    """What changes while H-Net is trained."""

    net: HNet
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    generator: torch.Generator
    step: int = 0
    best: float = math.inf


def train_hnet(config: HNetConfig, *, resume: bool = False) -> Path:
    """Train H-Net and return the run's folder; `resume` goes on where the folder stands.

    Raises InputError where the folder holds a run already (without `resume`) or cannot be made, or
    no lanes are found; a new folder is made once all pictures are read.
    """
    run = Path(config.run)
    if not resume:
        refuse_existing(run)
        check_folder(run)
    device, reason = choose_device(config.device)
    training = _gathered("data", config.data)
    validation = _gathered("val", config.val) if config.val else training
    job = new_job(config, device)
    if resume:
        restore(run, job, device)
    else:
        begin_run(run, config)
    logger.info(
        "H-Net on %s (%s), %d pictures, %d steps", device, reason, len(training.mask), config.steps
    )
    bar = tqdm(total=config.steps, initial=job.step, unit="step", disable=None)
    began, losses = time.monotonic(), []
    with bar:
        while job.step < config.steps:
            losses.append(advance(job, training, config))
            bar.update()
            if job.step % config.every == 0 or job.step == config.steps:
                report(run, job, sum(losses) / len(losses), validation, config.degree)
                losses = []
    logger.info("%.0f s, error %.3f px", time.monotonic() - began, job.best)
    return run


def _gathered(option: str, spec: str) -> LaneSet:
    """Return the pictures of a data set; a ValueError names the option that it was given by."""
    try:
        dataset = open_dataset(spec)
        return gather(dataset, len(dataset))
    except ValueError as error:
        raise InputError(f"--{option} {spec}: {error}") from error


def begin_run(run: Path, config: HNetConfig) -> None:
    """Make the folder with config.yaml and env.json; InputError where there is a run already."""
    refuse_existing(run)
    write_text(run / "config.yaml", yaml.safe_dump(asdict(config), sort_keys=False))
    write_text(run / "env.json", json.dumps(environment(), indent=1))


def resumed_config(run: Path) -> HNetConfig:
    """Return the configuration of a run's folder; InputError where there is none."""
    file = run / "config.yaml"
    if not file.is_file():
        raise InputError(f"{run}: no config.yaml here; name a run folder of embedseg train-hnet")
    try:
        values = yaml.safe_load(file.read_text())
        return replace(HNetConfig(**values), run=str(run))
    except (yaml.YAMLError, TypeError, ValueError) as error:
        raise InputError(f"{file}: not the configuration of an H-Net ({error})") from error


def new_job(config: HNetConfig, device: torch.device) -> Job:
    """Return an untrained network with its optimiser, from the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        net = HNet().to(device).train()
    optimizer = torch.optim.Adam(net.parameters(), config.learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, config.learning_rate, total_steps=config.steps
    )
    return Job(net, optimizer, schedule, torch.Generator().manual_seed(config.seed))


def advance(job: Job, data: LaneSet, config: HNetConfig) -> float:
    """Train one step; return the loss before it."""
    device = next(job.net.parameters()).device
    index = torch.randint(len(data.mask), (config.batch,), generator=job.generator)
    pictures, points, mask = (values.to(device) for values in data.chosen(index))
    if torch.rand((), generator=job.generator) < 0.5:
        pictures, points = pictures.flip(-1), points * points.new_tensor([-1.0, 1.0])
    loss = hnet_loss(points, mask, job.net(pictures), degree=config.degree)
    job.optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(job.net.parameters(), CLIP)
    job.optimizer.step()
    job.schedule.step()
    job.step += 1
    return float(loss.detach())


@torch.inference_mode()
def homographies(net: HNet, data: LaneSet, batch: int = 64) -> Tensor:
    """Return H (N, 3, 3), normalised, of all pictures, each with its lanes below the horizon."""
    net.eval()
    device = next(net.parameters()).device
    parts = torch.split(data.pictures, batch)
    found = torch.cat([net(part.to(device)).cpu() for part in parts])
    return cleared(found, torch.where(data.mask, data.points[..., 1], 0.0).amax((1, 2)))


def error_px(data: LaneSet, h: Tensor, *, degree: int = 2) -> float:
    """Return the root mean squared fit error in pixels of a picture 1280 wide."""
    return WIDE * math.sqrt(float(hnet_loss(data.points, data.mask, h, degree=degree)))


def report(run: Path, job: Job, loss: float, validation: LaneSet, degree: int) -> None:
    """Measure with the training's degree, add to metrics.csv, keep the best weights and state."""
    error = error_px(validation, homographies(job.net, validation), degree=degree)
    job.net.train()
    if error < job.best:
        job.best = error
        save_hnet(job.net, run / "weights" / "best.safetensors")
    save_hnet(job.net, run / "weights" / "last.safetensors")
    _add_row(run / "metrics.csv", {"step": job.step, "loss": loss, "error_px": error})
    state: dict[str, Any] = {
        "step": job.step,
        "best": job.best,
        "net": job.net.state_dict(),
        "optimizer": job.optimizer.state_dict(),
        "schedule": job.schedule.state_dict(),
        "generator": job.generator.get_state(),
    }
    write_state(run / "state.pt", state)


def _add_row(path: Path, row: dict[str, float]) -> None:
    """Append a row, in place of rows of that step or later ones that were never saved."""
    rows: list[dict[str, Any]] = []
    if path.is_file():
        rows = [old for old in read_rows(path)[1] if int(old["step"]) < row["step"]]
    short = {key: f"{value:.6g}" for key, value in row.items()}
    write_rows(path, [*rows, short])


def restore(run: Path, job: Job, device: torch.device) -> None:
    """Put everything back as `report` found it; a run without state.pt starts again."""
    file = run / "state.pt"
    if not file.is_file():
        return
    try:
        state = torch.load(file, map_location=device, weights_only=True)
        job.net.load_state_dict(state["net"])
        job.optimizer.load_state_dict(state["optimizer"])
        job.schedule.load_state_dict(state["schedule"])
        job.generator.set_state(state["generator"].cpu())
        job.step, job.best = state["step"], state["best"]
    except (RuntimeError, KeyError, ValueError, EOFError, UnpicklingError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{file}: cannot be resumed ({reason}); start a new --run") from error
