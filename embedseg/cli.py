"""The command `embedseg`: parse, call one public function, print.

Nothing heavy is imported before a command is known, so that --help answers at once.
"""

import argparse
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from embedseg import __version__

if TYPE_CHECKING:
    from embedseg.model import Model
    from embedseg.training.config import TrainConfig

FAILED, PARTLY_FAILED, INTERRUPTED = 1, 3, 130  # exit codes; argparse itself uses 2

Arguments = argparse.Namespace


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (default: the process's) and return the exit code."""
    argv = list(sys.argv[1:] if argv is None else argv)
    logging.basicConfig(format="%(message)s", level=logging.WARNING, stream=sys.stderr)
    logging.getLogger("embedseg").setLevel(logging.INFO)
    logging.getLogger("clustering").setLevel(logging.INFO)
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # its errors come as ours
    try:
        if argv[:1] == ["train"]:
            return train_command(argv[1:])
        arguments = build_parser().parse_args(argv)
        return int(arguments.run_command(arguments) or 0)
    except KeyboardInterrupt:
        print("embedseg: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        return FAILED
    except (ValueError, OSError, ImportError) as error:  # InputError is a ValueError
        print(f"embedseg: {error}", file=sys.stderr)
        return FAILED


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


def train_command(argv: list[str]) -> int:
    """Train from a YAML file, a preset and options; print the run's folder and its best score."""
    config, resume = parse_train(argv)
    from embedseg.training.loop import train

    run = train(config, resume=resume)
    print(f"done: {run} (curves in {run / 'results.png'}, pictures in {run / 'samples'})")
    return 0


def parse_train(argv: Sequence[str]) -> tuple["TrainConfig", bool]:
    """Return the configuration that `argv` asks for, and whether it resumes a run."""
    from embedseg.training.options import read_config, resumed_config

    if argv[:1] == ["--resume"]:
        if len(argv) != 2:
            raise ValueError("--resume takes one run folder and no other option: --resume RUN")
        return resumed_config(Path(argv[1])), True
    return read_config(argv), False


# --- predict --------------------------------------------------------------------------------------


def add_predict(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `predict`."""
    parser.add_argument("model", type=Path, help="run folder or .safetensors file")
    parser.add_argument("images", nargs="+", help="files, folders, globs, or - for paths on stdin")
    parser.add_argument("--out", type=Path, default=Path("predictions"), help="folder to write to")
    parser.add_argument(
        "--save", nargs="+", default=["labels", "overlay"], metavar="WHAT",
        help="of labels, overlay, pca, embedding, foreground, scores (default: labels overlay)",
    )  # fmt: skip
    parser.add_argument("--foreground", type=Path, metavar="DIR", help="masks to use as foreground")
    parser.add_argument("--bandwidth", type=float, help="of mean-shift, instead of the model's own")
    add_device(parser)


def run_predict(arguments: Arguments) -> int:
    """Segment pictures; print what was written, report what failed."""
    from embedseg.io import list_images
    from embedseg.predict import predict_files

    images = list_images(arguments.images)
    model = load_model(arguments)
    clusterer = None
    if arguments.bandwidth is not None:
        from clustering import MeanShift

        if arguments.bandwidth <= 0:
            raise ValueError(
                f"--bandwidth must be > 0, got {arguments.bandwidth}; "
                f"this model's own is {model.spec.default_bandwidth}"
            )
        clusterer = MeanShift(bandwidth=arguments.bandwidth)
    outcome = predict_files(
        model,
        images,
        arguments.out,
        products=arguments.save,
        foreground=arguments.foreground,
        clusterer=clusterer,
    )
    done, failed = len(outcome.instances), len(outcome.failures)
    count = sum(outcome.instances.values())
    print(f"{done} images, {count} instances, {outcome.seconds:.1f} s -> {arguments.out}")
    if failed:
        print(f"{failed} of {done + failed} images failed, see above", file=sys.stderr)
    return (PARTLY_FAILED if done else FAILED) if failed else 0


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add --device and --amp."""
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda:0, mps")
    parser.add_argument("--amp", default="auto", choices=("auto", "off", "bf16", "fp16"))


def load_model(arguments: Arguments) -> "Model":
    """Load the model of a command and say on which device it runs, and why."""
    from embedseg import load

    model = load(arguments.model, device=arguments.device, amp=arguments.amp)
    print(
        f"{model.spec.backbone} on {model.device} ({model.device_reason}), "
        f"mixed precision {model.amp}",
        file=sys.stderr,
    )
    return model


# --- evaluate -------------------------------------------------------------------------------------


def add_evaluate(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `evaluate`."""
    parser.add_argument(
        "model", type=Path, metavar="PREDICTIONS|RUN", help="label files; a run with --data"
    )
    parser.add_argument("truth", type=Path, nargs="?", help="folder of true label files")
    parser.add_argument("--data", help="data set to score a run on: cvppp:DIR, folder:DIR")
    parser.add_argument("--list", type=Path, dest="names", help="file with the names to score")
    parser.add_argument(
        "--true-foreground", action="store_true", help="give the model the foreground of the truth"
    )
    parser.add_argument("--csv", type=Path, help="also write the table as CSV")
    parser.add_argument("--json", type=Path, help="also write the table as JSON")
    add_device(parser)


def run_evaluate(arguments: Arguments) -> int:
    """Print the scores of label files against truth, or of a model on a data set."""
    from embedseg.evaluate import evaluate_folders, evaluate_model
    from embedseg.io import atomic_path

    if (arguments.truth is None) == (arguments.data is None):
        raise ValueError("evaluate takes either PREDICTIONS TRUTH or RUN --data KIND:WHERE")
    failures: dict[str, str] = {}
    if arguments.data is None:
        if arguments.true_foreground or arguments.names:
            raise ValueError("--true-foreground and --list go with --data")
        scores, failures = evaluate_folders(arguments.model, arguments.truth)
    else:
        scores = evaluate_model(
            load_model(arguments),
            arguments.data,
            arguments.names,
            true_foreground=arguments.true_foreground,
        )
    print(scores.to_table())
    for path, write in ((arguments.csv, scores.to_csv), (arguments.json, scores.to_json)):
        if path is not None:
            with atomic_path(path) as temporary:
                write(temporary)
    for reason in failures.values():
        print(f"embedseg: {reason}", file=sys.stderr)
    return PARTLY_FAILED if failures else 0


# --- check-data, info, demo -----------------------------------------------------------------------


def add_check_data(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `check-data`."""
    parser.add_argument("data", help="folder with images/ and labels/, or KIND:WHERE")


def run_check_data(arguments: Arguments) -> int:
    """Print what is wrong with a data set."""
    from embedseg.data.check import check_data

    report = check_data(arguments.data)
    print(report.to_table())
    return 0 if report.ok else FAILED


def add_info(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `info`."""
    parser.add_argument("model", type=Path, nargs="?", help="run folder or .safetensors file")


def run_info(arguments: Arguments) -> int:
    """Print what a model is, or versions and devices."""
    from embedseg.info import describe_installation, describe_model

    print(describe_model(arguments.model) if arguments.model else describe_installation())
    return 0


def add_nothing(parser: argparse.ArgumentParser) -> None:
    """Add no argument: `losses` has none, and jsonargparse knows those of `train`."""


def run_losses(arguments: Arguments) -> int:  # noqa: ARG001  (every command is called alike)
    """Print every loss: name, formula, paper, when to use it."""
    from embedseg.losses.catalogue import catalogue

    for loss in catalogue():
        print(f"{loss.name}\n    {loss.formula}\n    {loss.paper}\n    {loss.when}")
    return 0


def add_demo(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `demo`."""
    parser.add_argument("--out", type=Path, default=Path("demo"), help="folder to write to")
    parser.add_argument("--minutes", type=float, default=1.5, help="longest training time")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda:0, mps")


def run_demo(arguments: Arguments) -> int:
    """Train on generated leaves, score, segment and show; print the scores and where to look."""
    from embedseg.demo import demo

    print(demo(arguments.out, minutes=arguments.minutes, device=arguments.device))
    return 0


def run_train(arguments: Arguments) -> int:  # noqa: ARG001  (`main` takes train before argparse does)
    """Never reached: `main` hands `train` over before argparse sees it."""
    return train_command([])


Command = tuple[Callable[[argparse.ArgumentParser], None], Callable[[Arguments], int], str]
COMMANDS: dict[str, Command] = {
    "train": (add_nothing, run_train, "train a network on labelled images"),
    "predict": (add_predict, run_predict, "segment images with a trained model"),
    "evaluate": (add_evaluate, run_evaluate, "score label images or a model"),
    "check-data": (add_check_data, run_check_data, "find what is wrong with a data set"),
    "info": (add_info, run_info, "describe a model or this installation"),
    "losses": (add_nothing, run_losses, "list the losses for the foreground head"),
    "demo": (add_demo, run_demo, "train, segment and look, on generated leaves"),
}

if __name__ == "__main__":
    sys.exit(main())
