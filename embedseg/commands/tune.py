"""`embedseg tune`: find the post-processing that suits a run, on validation images."""

import argparse
from pathlib import Path

from embedseg.commands.common import add_device


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `tune`."""
    parser.add_argument("model", type=Path, metavar="RUN", help="run folder")
    parser.add_argument("--data", help="data set: cvppp:DIR, folder:DIR (default: the run's own)")
    parser.add_argument("--list", type=Path, dest="names", help="file with the names to tune on")
    parser.add_argument(
        "--metric", default="sbd", choices=("sbd", "ap50", "map", "pq"), help="default: sbd"
    )
    parser.add_argument(
        "--tta", nargs="+", default=["none"], choices=("none", "flips", "d4"),
        help="test-time augmentation that may be chosen if it gains enough (default: none)",
    )  # fmt: skip
    parser.add_argument("--quick", action="store_true", help="fewer images and settings")
    add_device(parser)


def run(arguments: argparse.Namespace) -> int:
    """Tune, store the choice in the run, print what it gains."""
    from embedseg.device import keep_memory
    from embedseg.tuning.run import tune_run

    keep_memory()
    outcome = tune_run(
        arguments.model,
        data=arguments.data,
        names=arguments.names,
        metric=arguments.metric,
        tta=arguments.tta,
        quick=arguments.quick,
        device=arguments.device,
        amp=arguments.amp,
    )
    print(outcome.describe())
    drawn = "; landscape in tuning.png beside it" if outcome.curves else ""
    print(f"stored in {arguments.model / 'tuning.json'}{drawn}")
    return 0
