"""`embedseg info`: describe a model or this installation."""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `info`."""
    parser.add_argument(
        "model",
        type=Path,
        nargs="?",
        help="run folder, .safetensors file or a name of `embedseg models`",
    )


def run(arguments: argparse.Namespace) -> int:
    """Print what a model is, or versions and devices."""
    from embedseg.info import describe_installation, describe_model

    print(describe_model(arguments.model) if arguments.model else describe_installation())
    return 0
