r"""H-Net's worth: how far a parabola fitted in a plane lies from the lanes, in the picture.

For each data set the root mean squared distance across, in pixels of a picture 1280 wide, between
lane points and the quadratic fitted (and the median over pictures of each one's): (1) in image
space, (2) in the plane of one fixed homography, the best of 48 horizons for that very data set,
(3) in the plane that H-Net predicts.

    python scripts/hnet_table.py RUN "real geometry=roads:100,seed=31,lines=LABELS.json" \\
        "curves and slopes=roads:100,seed=32"
"""

import argparse
from pathlib import Path

import torch
from torch import Tensor

from embedseg.data import open_dataset
from embedseg.driving.hnet_run import WIDE, LaneSet, error_px, gather, homographies
from embedseg.lanes.hnet import HNet, fit_errors, load_hnet

HORIZONS = torch.linspace(-2.4, -0.05, 48)  # values of f, which alone changes the fit


def plane(f: float, count: int) -> Tensor:
    """Return (count, 3, 3): the homography whose horizon lies at y = -1 / f; f = 0 is none."""
    h = torch.eye(3)
    h[2, 1] = f
    return h.expand(count, 3, 3)


def planes(net: HNet, data: LaneSet, *, degree: int = 2) -> tuple[dict[str, Tensor], float]:
    """Return homographies (N, 3, 3) of the three ways, and f of the best fixed one."""
    count = len(data.mask)
    fixed = [error_px(data, plane(float(f), count), degree=degree) for f in HORIZONS]
    f = float(HORIZONS[min(range(len(fixed)), key=fixed.__getitem__)])
    own = homographies(net, data)
    return {"image": plane(0.0, count), "fixed": plane(f, count), "hnet": own}, f


def median_px(data: LaneSet, h: Tensor, *, degree: int = 2) -> float:
    """Return the median over pictures of the root mean squared error, px of a picture 1280 wide."""
    squares = fit_errors(data.points, data.mask, h, degree=degree) ** 2
    mean = squares.sum((1, 2)) / data.mask.sum((1, 2)).clamp(min=1)
    return float(WIDE * mean.sqrt().median())


def main() -> None:
    """Print the table in Markdown."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path, help="run of embedseg train-hnet, or its weights")
    parser.add_argument("sets", nargs="+", metavar="TITLE=DATA", help="data sets with lanes")
    parser.add_argument("--degree", type=int, default=2, help="of the polynomial (default: 2)")
    options = parser.parse_args()
    net = load_hnet(options.run)
    print("| pictures | count | image space | best fixed plane | H-Net |\n|---|---|---|---|---|")
    for spec in options.sets:
        title, _, where = spec.partition("=")
        dataset = open_dataset(where)
        data = gather(dataset, len(dataset))
        found, f = planes(net, data, degree=options.degree)
        cells = [
            f"{error_px(data, h, degree=options.degree):.2f} "
            f"({median_px(data, h, degree=options.degree):.2f}) px"
            for h in found.values()
        ]
        cells[1] += f", f = {f:.2f}"
        print(f"| {title} | {len(dataset)} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
