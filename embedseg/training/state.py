"""What an interrupted run needs to go on as if it had not been: state.pt."""

from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import nn

from embedseg.io import InputError, atomic_path
from embedseg.training.optim import AveragedWeights

STATE = "state.pt"
UNREADABLE = (
    RuntimeError, KeyError, ValueError, TypeError, AttributeError, EOFError, OSError,
    UnpicklingError,
)  # fmt: skip


@dataclass
class Progress:
    """Where training stands: finished epochs and steps, the best score, and time spent.

    `unjudged` are the figures of an epoch whose steps are done but not its validation.
    """

    epoch: int = 0
    step: int = 0
    best: float = -1.0
    stale: int = 0  # validations since the best
    seconds: float = 0.0
    finished: bool = False
    unjudged: dict[str, float] | None = None

    @property
    def recorded(self) -> int:
        """The epochs whose figures are complete."""
        return self.epoch - (self.unjudged is not None)

    def note(self, score: float, *, patience: int) -> None:
        """Record a validation: whether it is the best, and whether patience is at its end."""
        better = score > self.best
        self.best, self.stale = (score, 0) if better else (self.best, self.stale + 1)
        self.finished |= bool(patience) and self.stale >= patience


def has_state(run: Path) -> bool:
    """Tell whether a run has ended an epoch; one that was killed before starts again."""
    return (run / STATE).is_file()


def save_state(
    run: Path,
    progress: Progress,
    network: nn.Module,
    average: AveragedWeights,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
) -> None:
    """Write state.pt, whole or not at all."""
    state: dict[str, Any] = {
        "progress": vars(progress),
        "network": network.state_dict(),
        "average": average.state,
        "average_steps": average.steps,
        "optimizer": optimizer.state_dict(),
        "scaler": scaler.state_dict(),
        "random": torch.random.get_rng_state(),
        "random_cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }
    write_state(run / STATE, state)


def write_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write what `torch.load` reads, whole or not at all; InputError where the disk is full.

    Through memory: of a file that cannot be written torch says only where it stopped.
    """
    content = BytesIO()
    torch.save(dict(state), content)
    with atomic_path(path) as temporary:
        temporary.write_bytes(content.getbuffer())


def load_state(
    run: Path,
    network: nn.Module,
    average: AveragedWeights,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    device: torch.device,
) -> Progress:
    """Put everything back as `save_state` found it; InputError where it cannot be."""
    file = run / STATE
    if not has_state(run):
        return Progress()
    try:
        state = torch.load(file, map_location=device, weights_only=True)
        network.load_state_dict(state["network"])
        average.state = state["average"]
        average.steps = state["average_steps"]
        optimizer.load_state_dict(state["optimizer"])
        scaler.load_state_dict(state["scaler"])
        torch.random.set_rng_state(state["random"].cpu())
        if torch.cuda.is_available() and state["random_cuda"]:
            torch.cuda.set_rng_state_all([s.cpu() for s in state["random_cuda"]])
        return Progress(**state["progress"])
    except UNREADABLE as error:
        what = "the file is empty or cut off" if isinstance(error, EOFError) else _first(error)
        raise InputError(
            f"{file}: cannot be resumed ({what}); start a new run with "
            f"--config {run / 'config.yaml'} --run NEW"
        ) from error


def _first(error: Exception) -> str:
    """Return the first line of what `error` says, or its kind where it says nothing."""
    return next(iter(str(error).splitlines()), type(error).__name__)
