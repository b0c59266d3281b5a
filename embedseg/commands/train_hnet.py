"""`embedseg train-hnet`: train H-Net, which straightens a road before curves are fitted."""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `train-hnet`; what is not given has the default of HNetConfig."""
    data = "pictures with lanes: roads:2000,lines=LABELS.json, tusimple:DIR, culane:DIR, ..."
    none = argparse.SUPPRESS
    parser.add_argument("--data", help=data, default=none)
    parser.add_argument("--val", help="pictures to measure on (default: --data)", default=none)
    parser.add_argument("--run", help="folder to write to (default: runs/hnet)", default=none)
    parser.add_argument("--steps", type=int, help="of training (default: 1000)", default=none)
    parser.add_argument("--batch", type=int, help="pictures a step (default: 32)", default=none)
    parser.add_argument("--learning-rate", type=float, help="highest (1e-3)", default=none)
    parser.add_argument("--degree", type=int, help="of the polynomial (default: 2)", default=none)
    parser.add_argument("--every", type=int, help="steps between measurements", default=none)
    parser.add_argument("--seed", type=int, help="of weights and order (0)", default=none)
    parser.add_argument("--device", help="auto, cpu, cuda:0, mps", default=none)
    parser.add_argument("--resume", type=Path, metavar="RUN", help="go on with an interrupted run")


def run(arguments: argparse.Namespace) -> int:
    """Train H-Net in a new run folder or go on in an old one; print where it is."""
    from embedseg.driving.hnet_run import HNetConfig, resumed_config, train_hnet

    given = vars(arguments)
    options = {key: given[key] for key in HNetConfig.__dataclass_fields__ if key in given}
    if arguments.resume is not None:
        if options:
            raise ValueError("--resume takes one run folder and no other option: --resume RUN")
        folder = train_hnet(resumed_config(arguments.resume), resume=True)
    elif "data" not in options:
        raise ValueError("train-hnet needs pictures with lanes: --data roads:2000 or tusimple:DIR")
    else:
        folder = train_hnet(HNetConfig(**options))
    print(f"done: {folder} (curves of the error in {folder / 'metrics.csv'})")
    return 0
