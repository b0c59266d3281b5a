"""`embedseg train`: train a network on labelled images.

Its options are those of TrainConfig, read by jsonargparse: `main` hands the rest of the line over
before argparse sees it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from embedseg.training.config import TrainConfig


def run(argv: Sequence[str]) -> int:
    """Train from a YAML file, a preset and options; print the run's folder and its best score."""
    config, resume = parse_train(argv)
    from embedseg.device import keep_memory
    from embedseg.training.loop import train

    keep_memory()
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
