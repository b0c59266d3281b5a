"""`embedseg predict`: segment images, or the lanes of a video, with a trained model."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from embedseg.commands import drive
from embedseg.commands.common import (
    FAILED,
    PARTLY_FAILED,
    add_device,
    add_model,
    add_views,
    counted,
    list_pictures,
    load_joint,
)

if TYPE_CHECKING:
    from embedseg.ensemble import Ensemble
    from embedseg.model import Model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `predict`."""
    add_model(parser)
    parser.add_argument("images", nargs="+", help="files, folders, globs, or - for paths on stdin")
    parser.add_argument(
        "--out", type=Path, default=Path("predictions"),
        help="folder to write to (default: predictions); NAME.mp4 for the lanes of a video or of a "
        "folder of frames",
    )  # fmt: skip
    parser.add_argument("--rate", type=float, help="frames a second of a video (folders: 20)")
    parser.add_argument(
        "--save", nargs="+", default=["labels", "overlay"], metavar="WHAT",
        help="of labels, overlay, pca, embedding, foreground, scores (default: labels overlay)",
    )  # fmt: skip
    parser.add_argument("--foreground", type=Path, metavar="DIR", help="masks to use as foreground")
    parser.add_argument(
        "--bandwidth", type=float, help="of its clusterer, instead of the model's own"
    )
    parser.add_argument(
        "--engine",
        choices=("torch", "compile", "onnxruntime", "openvino"),
        help="what computes the network on a processor, in float32 (default: torch, as --amp says)",
    )
    add_device(parser)
    add_views(parser)


def run(arguments: argparse.Namespace) -> int:
    """Segment pictures; print what was written, report what failed."""
    from embedseg.lanes.video import is_video

    if is_video(arguments.out) or is_video(arguments.images[0]):
        if arguments.engine:
            raise ValueError("--engine goes with pictures; leave it out for a video")
        return drive.run(arguments)
    if arguments.rate is not None:
        raise ValueError("--rate goes with a video: give --out NAME.mp4")
    from embedseg.device import keep_memory
    from embedseg.predict import predict_files

    keep_memory()
    images = list_pictures(arguments.images, arguments.out)
    model = load_for_engine(arguments)
    if arguments.bandwidth is not None:
        model.spec = model.spec.with_bandwidth(arguments.bandwidth)
    outcome = predict_files(
        model,
        images,
        arguments.out,
        products=arguments.save,
        foreground=arguments.foreground,
    )
    done, failed = len(outcome.instances), len({*images} & {*outcome.failures})
    count = sum(outcome.instances.values())
    what = f"{counted(done, 'image')}, {counted(count, 'instance')}"
    print(f"{what}, {outcome.seconds:.1f} s -> {arguments.out}")
    if failed:
        print(f"{failed} of {done + failed} images failed, see above", file=sys.stderr)
    return (PARTLY_FAILED if done else FAILED) if outcome.failures else 0


def load_for_engine(arguments: argparse.Namespace) -> "Model | Ensemble":
    """Load the model, or the models, and let --engine compute their networks, if it is given."""
    if arguments.engine is None:
        return load_joint(arguments)
    if arguments.device == "auto":
        arguments.device = "cpu"
    if arguments.amp == "auto":
        arguments.amp = "off"
    model = load_joint(arguments)
    for member in getattr(model, "models", [model]):
        member.use_engine(arguments.engine)
    return model
