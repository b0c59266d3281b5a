"""What several commands share: exit codes, --device and --amp, loading a model."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from embedseg.ensemble import Ensemble
    from embedseg.model import Model

FAILED, WRONG_USAGE, PARTLY_FAILED, INTERRUPTED = 1, 2, 3, 130  # exit codes; 2 is argparse's


def counted(number: int, noun: str) -> str:
    """Return a number with its noun.

    >>> counted(1, "image"), counted(0, "image")
    ('1 image', '0 images')
    """
    return f"{number} {noun}" + ("" if number == 1 else "s")


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


def add_views(parser: argparse.ArgumentParser) -> None:
    """Add --tta, --scales and --ensemble, which `load_joint` reads."""
    parser.add_argument(
        "--tta",
        choices=("none", "flips", "d4"),
        help="test-time augmentation: join the views of 4 flips or of 8 flips and turns; "
        "as many times slower (default: what tuning chose, else none)",
    )
    parser.add_argument(
        "--scales", type=float, nargs="+", metavar="S", help="and each view at these scales"
    )
    parser.add_argument(
        "--ensemble", nargs="+", default=[], metavar="RUN", help="join these models with the first"
    )


def refuse_model_options(arguments: argparse.Namespace, why: str) -> None:
    """Refuse options of `add_device` and `add_views` where no model runs; ValueError."""
    idle: dict[str, object] = {
        "device": "auto",
        "amp": "auto",
        "tta": None,
        "scales": None,
        "ensemble": [],
    }
    for name, without in idle.items():
        if getattr(arguments, name) != without:
            raise ValueError(f"--{name} is for a model, but {why}; leave it out")


def refuse_same_folder(images: Sequence[str], out: Path) -> None:
    """Refuse to write into a folder whose pictures are read: results would be read as pictures.

    Raises ValueError.
    """
    for given in images:
        if Path(given).is_dir() and Path(given).resolve() == out.resolve():
            raise ValueError(
                f"--out {out} is the folder of the pictures, and results in it would be taken for "
                "pictures the next time; name another one"
            )


def list_pictures(images: Sequence[str], out: Path) -> list[Path]:
    """Return the files that `images` stand for, without results that lie in `out` already.

    Says how many those are. Raises ValueError where `out` is a folder that is read, InputError
    where nothing is left.
    """
    from embedseg.io import InputError, list_images
    from embedseg.io.output_names import is_result

    refuse_same_folder(images, out)
    found = list_images(images)
    pictures = [path for path in found if not is_result(path, out)]
    if not pictures:
        raise InputError(f"{out} holds results alone, and no other picture was named")
    if len(pictures) < len(found):
        left = counted(len(found) - len(pictures), "file")
        print(f"{left} in {out} left out: results, not pictures", file=sys.stderr)
    return pictures


def load_model(arguments: argparse.Namespace) -> "Model":
    """Load the model of a command and say on which device it runs, and why."""
    from embedseg import load

    model: Model = load(arguments.model, device=arguments.device, amp=arguments.amp)
    tell_device(model)
    return model


def load_joint(arguments: argparse.Namespace) -> "Model | Ensemble":
    """Load the model, or the models, of a command with `add_views`, and say where they run."""
    from embedseg import load

    several = [arguments.model, *arguments.ensemble]
    model: Model | Ensemble = load(
        several if arguments.ensemble else arguments.model,
        device=arguments.device,
        amp=arguments.amp,
        tta=arguments.tta,
        scales=arguments.scales,
    )
    tell_device(model)
    return model


def tell_device(model: "Model | Ensemble") -> None:
    """Print the network and its device."""
    print(
        f"{model.spec.backbone} on {model.device} ({model.device_reason}), "
        f"mixed precision {model.amp}",
        file=sys.stderr,
    )
