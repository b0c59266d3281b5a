"""`embedseg train`: train a network on labelled images.

Its options are those of TrainConfig, read by jsonargparse: `main` hands the rest of the line over
before argparse sees it.
"""

from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from embedseg.training.config import TrainConfig


def run(argv: Sequence[str]) -> int:
    """Train from a YAML file, a preset and options; print the run's folder and its best score."""
    config, resume = parse_train(argv)
    from embedseg.training.config import refuse_existing

    run = Path(config.run)
    if not resume:
        refuse_existing(run)  # before torch is imported and data is read
    from embedseg.device import keep_memory
    from embedseg.training.loop import train

    keep_memory()
    try:
        train(config, resume=resume)
    except KeyboardInterrupt:
        if (run / "config.yaml").is_file():
            command = f"embedseg train --resume {quote(str(run))}"
            raise KeyboardInterrupt(f"go on with: {command}") from None
        raise
    print(f"done: {run} (curves and pictures in {run / 'results.html'})")
    return 0


def parse_train(argv: Sequence[str]) -> tuple["TrainConfig", bool]:
    """Return the configuration that `argv` asks for, and whether it resumes a run."""
    from embedseg.training.options import read_config, resumed_config

    if any(word.partition("=")[0] == "--resume" for word in argv):
        if argv[0] != "--resume" or len(argv) != 2:
            raise ValueError(
                "--resume takes one run folder and no other option: embedseg train --resume RUN; "
                "to train on otherwise, start another run with --network.init RUN"
            )
        return resumed_config(Path(argv[1])), True
    return read_config(argv), False
