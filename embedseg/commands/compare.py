"""`embedseg compare`: train several settings under one budget, quality beside cost.

Every option that is not its own is one of `embedseg train`: the base that all cells share.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from embedseg.commands.common import PARTLY_FAILED

OWN = ("--run", "--seed", "--resume")  # options of train that the comparison sets itself
EPILOG = """
every other option is one of `embedseg train` and holds for all cells (--config, --data, ...).

  embedseg compare --data folder:plants --vary backbone=enet,erfnet,unet --seeds 0,1 --minutes 5
  embedseg compare --config leaves --data cvppp:A1 --steps 300 --out losses --metric FgBgDice \\
      --vary "loss=dice,focal,cross_entropy + dice,dice + 0.01 boundary" --seeds 0,1,2

--cells FILE holds settings that belong together, as YAML:

  wide: {network.options: {width: 48}}
  enet: {network: {backbone: enet}, optimizer.learning_rate: 5.0e-4}

Call it again to train what is missing: finished runs are kept, an interrupted one goes on.
"""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command's own options."""
    parser = argparse.ArgumentParser(
        prog="embedseg compare",
        description="Train several settings under one budget; print quality beside cost.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--vary", action="append", default=[], metavar="OPTION=VALUE,...",
        help="a training option and its values; repeated, all combinations",
    )  # fmt: skip
    parser.add_argument("--cells", type=Path, metavar="FILE", help="YAML with named settings")
    parser.add_argument("--seeds", default="0", metavar="N,N,...", help="seeds of every cell")
    parser.add_argument("--minutes", type=float, default=0.0, help="training time of a run")
    parser.add_argument("--steps", type=int, default=0, help="optimiser steps of a run")
    parser.add_argument(
        "--metric", default="SBD", help="of the validation: SBD, AP50, mAP, PQ, F1, FgBgDice, ..."
    )
    parser.add_argument("--out", type=Path, default=Path("comparison"), help="folder to write to")
    return parser


def run(argv: Sequence[str]) -> int:
    """Train what is missing, print the table and where to look."""
    arguments, base = build_parser().parse_known_args(argv)
    for word in base:
        if word.partition("=")[0] in OWN:
            raise ValueError(f"{word} is not for compare, which names its runs; use --out, --seeds")
    seeds = read_seeds(arguments.seeds)
    from embedseg.comparison.cells import read_cells

    cells = read_cells(arguments.vary, arguments.cells)
    from embedseg.comparison.run import compare
    from embedseg.device import keep_memory

    keep_memory()
    text, failed = compare(
        cells,
        base,
        arguments.out,
        seeds=seeds,
        minutes=arguments.minutes,
        steps=arguments.steps,
        metric=arguments.metric,
    )
    print(text)
    print(f"done: {arguments.out / 'results.md'}, .csv, .json, {arguments.out / 'compare.png'}")
    return PARTLY_FAILED if failed else 0


def read_seeds(text: str) -> list[int]:
    """Return the seeds of "0,1,2"; ValueError for anything else."""
    try:
        seeds = [int(word) for word in text.split(",")]
    except ValueError:
        seeds = []
    if not seeds or len(set(seeds)) < len(seeds) or min(seeds) < 0:
        raise ValueError(f"--seeds takes different whole numbers >= 0, 0,1,2, got {text!r}")
    return seeds
