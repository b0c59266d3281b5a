"""`embedseg evaluate`: score label images against truth, or a model on a data set."""

import argparse
import sys
from pathlib import Path

from embedseg.commands import lane_scores
from embedseg.commands.common import (
    PARTLY_FAILED,
    add_device,
    add_views,
    load_joint,
    refuse_model_options,
)

SHOWN = 10  # failures; the others are counted


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `evaluate`."""
    parser.add_argument(
        "model",
        type=Path,
        metavar="PREDICTIONS|RUN",
        help="label files; a run or model with --data",
    )
    parser.add_argument("truth", type=Path, nargs="?", help="folder of true label files")
    parser.add_argument("--data", help="data set to score a run on: cvppp:DIR, folder:DIR")
    parser.add_argument("--list", type=Path, dest="names", help="file with the names to score")
    parser.add_argument(
        "--true-foreground", action="store_true", help="give the model the foreground of the truth"
    )
    parser.add_argument("--csv", type=Path, help="also write the table as CSV")
    parser.add_argument("--json", type=Path, help="also write the table as JSON")
    lanes = parser.add_argument_group("lanes")
    lanes.add_argument(
        "--format", choices=("tusimple", "culane"),
        help="the official lane score: two TuSimple files, or two folders of .lines.txt",
    )  # fmt: skip
    lanes.add_argument(
        "--categories", type=Path, metavar="DIR", help="culane: the folder list/test_split"
    )
    lanes.add_argument(
        "--ignore-run-time", action="store_true", help="tusimple: slow frames are not empty"
    )
    add_device(parser)
    add_views(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the scores of label files against truth, or of a model on a data set."""
    if lane_scores.asked(arguments):
        return lane_scores.run(arguments)
    from embedseg.evaluate import evaluate_folders, evaluate_model, warn_of_training
    from embedseg.io import atomic_path

    check(arguments)
    if arguments.data is None:
        scores, failures = evaluate_folders(arguments.model, arguments.truth)
    else:
        from embedseg.device import keep_memory

        keep_memory()
        runs = [arguments.model, *map(Path, arguments.ensemble)]
        warn_of_training(runs, arguments.data, arguments.names)
        scores, failures = evaluate_model(
            load_joint(arguments),
            arguments.data,
            arguments.names,
            true_foreground=arguments.true_foreground,
        )
    print(scores.to_table())
    for path, write in ((arguments.csv, scores.to_csv), (arguments.json, scores.to_json)):
        if path is not None:
            with atomic_path(path) as temporary:
                write(temporary)
    for reason in [*failures.values()][:SHOWN]:
        print(f"embedseg: {reason}", file=sys.stderr)
    if len(failures) > SHOWN:
        print(f"embedseg: ... and {len(failures) - SHOWN} more that failed", file=sys.stderr)
    return PARTLY_FAILED if failures else 0


def check(arguments: argparse.Namespace) -> None:
    """Refuse arguments that do not go together; ValueError."""
    if (arguments.truth is None) == (arguments.data is None):
        raise ValueError("evaluate takes either PREDICTIONS TRUTH or RUN --data KIND:WHERE")
    if arguments.data is not None:
        return
    if arguments.true_foreground or arguments.names:
        raise ValueError("--true-foreground and --list go with --data")
    refuse_model_options(arguments, "label files are scored as they are")
    if (arguments.model / "config.yaml").is_file():
        raise ValueError(
            f"{arguments.model} is a run, not a folder of label files; score it with embedseg "
            f"evaluate {arguments.model} --data folder:DIR, DIR holding images/ and labels/"
        )
