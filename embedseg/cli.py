"""The command `embedseg`: find the command, parse, run it, turn errors into one sentence.

Nothing heavy is imported before a command is known, so that --help answers at once.
"""

import argparse
import logging
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from embedseg import __version__
from embedseg.commands import (
    backbones,
    check_data,
    compare,
    demo,
    evaluate,
    info,
    lanes,
    losses,
    models,
    predict,
    train,
    train_hnet,
    tune,
    visualize,
)
from embedseg.commands.common import FAILED, INTERRUPTED, WRONG_USAGE, add_nothing
from embedseg.errors import sentence_of
from embedseg.names import unknown, unknown_option

Command = tuple[Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace], int], str]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (default: the process's) and return the exit code."""
    argv = list(sys.argv[1:] if argv is None else argv)
    logging.basicConfig(format="%(message)s", level=logging.WARNING, stream=sys.stderr)
    logging.getLogger("embedseg").setLevel(logging.INFO)
    logging.getLogger("clustering").setLevel(logging.INFO)
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # its errors come as ours
    try:
        with stopped_as_by_the_user():
            return run(argv)
    except KeyboardInterrupt as stop:
        print("; ".join(["embedseg: interrupted", *map(str, stop.args)]), file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        return FAILED
    except (ValueError, OSError, ImportError) as error:  # InputError is a ValueError
        print(f"embedseg: {sentence_of(error)}", file=sys.stderr)
        return FAILED


@contextmanager
def stopped_as_by_the_user() -> Iterator[None]:
    """Let SIGTERM (of a scheduler, a container, `timeout`) end the block as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def run(argv: Sequence[str]) -> int:
    """Run the command line `argv`; errors are for `main` to tell."""
    if argv[:1] == ["train"]:
        return train.run(argv[1:])
    if argv[:1] == ["compare"]:
        return compare.run(argv[1:])
    if argv and not argv[0].startswith("-") and argv[0] not in COMMANDS:
        raise unknown("command", argv[0], COMMANDS)
    arguments, rest = build_parser().parse_known_args(model_first(argv))
    if rest:
        name = argv[0] if argv[0] in COMMANDS else ""  # an option may stand before the command
        where = f"embedseg {name}".strip()
        print(f"{where}: {unknown_option(rest, options_of(name), where)}", file=sys.stderr)
        return WRONG_USAGE
    return int(arguments.run_command(arguments) or 0)


def options_of(name: str) -> list[str]:
    """Return the options of a command, or those of all for ""."""
    parser = argparse.ArgumentParser()
    if name:
        COMMANDS[name][0](parser)
    return [option for action in parser._actions for option in action.option_strings]


def model_first(argv: Sequence[str]) -> list[str]:
    """Return `argv` with the model of --model MODEL where commands want it: as first argument.

    >>> model_first(["predict", "--out", "x", "--model", "nuclei", "cells.png"])
    ['predict', 'nuclei', '--out', 'x', 'cells.png']
    """
    for index, word in enumerate(argv):
        name, equals, model = word.partition("=")
        if name == "--model" and (equals or index + 1 < len(argv)):
            rest = argv[index + 1 :] if equals else argv[index + 2 :]
            model = model if equals else argv[index + 1]
            start = 2 if argv[:1] == ["lanes"] else 1  # lanes predict MODEL
            return [*argv[:start], model, *argv[start:index], *rest]
    return list(argv)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="embedseg", description="Instance segmentation by learned pixel embeddings."
    )
    parser.add_argument("--version", action="version", version=f"embedseg {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, (add, run, text) in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text)
        add(command)
        command.set_defaults(run_command=run)
    return parser


COMMANDS: dict[str, Command] = {  # the first two get their words before argparse sees them
    "train": (add_nothing, lambda _: train.run([]), "train a network on labelled images"),
    "compare": (add_nothing, lambda _: compare.run([]), "train several settings under one budget"),
    "predict": (predict.add_arguments, predict.run, "segment images with a trained model"),
    "visualize": (visualize.add_arguments, visualize.run, "pictures and a page to explore"),
    "evaluate": (evaluate.add_arguments, evaluate.run, "score label images or a model"),
    "lanes": (lanes.add_arguments, lanes.run, "find lanes as curves"),
    "train-hnet": (train_hnet.add_arguments, train_hnet.run, "train H-Net on lanes"),
    "check-data": (check_data.add_arguments, check_data.run, "find what is wrong with a data set"),
    "info": (info.add_arguments, info.run, "describe a model or this installation"),
    "tune": (tune.add_arguments, tune.run, "find the post-processing that suits a run"),
    "models": (models.add_arguments, models.run, "list the models that ship with embedseg"),
    "backbones": (backbones.add_arguments, backbones.run, "list the networks"),
    "losses": (losses.add_arguments, losses.run, "list the losses of all heads"),
    "demo": (demo.add_arguments, demo.run, "train, segment and look, on generated leaves"),
}

if __name__ == "__main__":
    sys.exit(main())
