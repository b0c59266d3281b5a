"""What several commands share: exit codes, --device and --amp, loading a model."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from embedseg.model import Model

FAILED, PARTLY_FAILED, INTERRUPTED = 1, 3, 130  # exit codes; argparse itself uses 2


def add_nothing(parser: argparse.ArgumentParser) -> None:
    """Add no argument."""


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add the positional MODEL, which `embedseg.cli.main` also reads from --model MODEL."""
    parser.add_argument(
        "model",
        type=Path,
        help="run folder, .safetensors file or a name of `embedseg models`; also as --model MODEL",
    )


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add --device and --amp."""
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda:0, mps")
    parser.add_argument("--amp", default="auto", choices=("auto", "off", "bf16", "fp16"))


def load_model(arguments: argparse.Namespace) -> "Model":
    """Load the model of a command and say on which device it runs, and why."""
    from embedseg import load

    model = load(arguments.model, device=arguments.device, amp=arguments.amp)
    print(
        f"{model.spec.backbone} on {model.device} ({model.device_reason}), "
        f"mixed precision {model.amp}",
        file=sys.stderr,
    )
    return model
