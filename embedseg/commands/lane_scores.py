"""`embedseg evaluate --format tusimple|culane PREDICTIONS TRUTH`: the official lane scores."""

import argparse

from embedseg.commands.common import refuse_model_options


def asked(arguments: argparse.Namespace) -> bool:
    """Tell whether a lane score is wanted; ValueError for its options without --format."""
    if arguments.format is None and (arguments.categories or arguments.ignore_run_time):
        raise ValueError("--categories and --ignore-run-time go with --format culane or tusimple")
    return arguments.format is not None


def check(arguments: argparse.Namespace) -> None:
    """Raise ValueError for options that do not fit together."""
    if arguments.truth is None or arguments.data is not None or arguments.true_foreground:
        raise ValueError("lane scores compare files: evaluate --format FORMAT PREDICTIONS TRUTH")
    refuse_model_options(arguments, "lane files are scored as they are")
    if arguments.format == "tusimple" and (arguments.names or arguments.categories):
        raise ValueError("--list and --categories go with --format culane")
    if arguments.format == "culane" and arguments.ignore_run_time:
        raise ValueError("--ignore-run-time goes with --format tusimple")
    if arguments.names and arguments.categories:
        raise ValueError("give either --list or --categories, not both")


def run(arguments: argparse.Namespace) -> int:
    """Print the lane score of prediction files against truth."""
    check(arguments)
    from embedseg.driving.scores import score_culane, score_tusimple, to_csv, to_json, to_table
    from embedseg.io import write_text

    if arguments.format == "tusimple":
        rows = score_tusimple(
            arguments.model, arguments.truth, ignore_run_time=arguments.ignore_run_time
        )
    else:
        rows = score_culane(
            arguments.model,
            arguments.truth,
            names=arguments.names,
            categories=arguments.categories,
        )
    print(to_table(rows))
    for path, write in ((arguments.csv, to_csv), (arguments.json, to_json)):
        if path is not None:
            write_text(path, write(rows))
    return 0
