"""`embedseg demo`: train, segment and look, on generated leaves."""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `demo`."""
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("demo"),
        help="folder to write to; an earlier demo in it is replaced",
    )
    parser.add_argument("--minutes", type=float, default=1.5, help="longest training time")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda:0, mps")


def run(arguments: argparse.Namespace) -> int:
    """Train on generated leaves, score, segment and show; print the scores and where to look."""
    from embedseg.demo import demo
    from embedseg.device import keep_memory

    keep_memory()
    print(demo(arguments.out, minutes=arguments.minutes, device=arguments.device))
    return 0
