"""`embedseg lanes predict`: lanes of pictures as curves, in the form a benchmark takes."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from embedseg.commands.common import PARTLY_FAILED, add_device, add_model, counted, load_model

if TYPE_CHECKING:
    from embedseg.driving.finder import LaneFinder

FORMATS = ("tusimple", "culane", "geojson", "csv", "json")  # of embedseg.lanes.writers


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add `predict` and its arguments."""
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    text = "find the lanes of pictures with a trained model"
    predict = actions.add_parser("predict", help=text, description=text)
    add_model(predict)
    predict.add_argument("pictures", type=Path, help="folder of pictures, at any depth, or one")
    predict.add_argument("--out", type=Path, required=True, help="file; a folder for culane")
    predict.add_argument("--format", choices=FORMATS, default="json", help="(default: json)")
    predict.add_argument(
        "--list", type=Path, dest="names", metavar="FILE",
        help="pictures below the folder: a TuSimple label file (its rows are used) or a list",
    )  # fmt: skip
    predict.add_argument("--overlays", type=Path, metavar="DIR", help="also draw the curves")
    predict.add_argument(
        "--track", action="store_true", help="the pictures are one drive: ids follow the lanes"
    )
    predict.add_argument("--rate", type=float, help="frames a second, with --track (default: 20)")
    predict.add_argument(
        "--batch",
        type=int,
        default=8,
        help="pictures a pass of the network; the times of tusimple are shares of it (default: 8)",
    )
    add_curves(predict)
    add_device(predict)


def add_curves(parser: argparse.ArgumentParser) -> None:
    """Add what says how curves are fitted."""
    parser.add_argument("--curve", choices=("polynomial", "spline"), default="polynomial")
    parser.add_argument("--degree", type=int, help="of the polynomial (default: 3)")
    parser.add_argument(
        "--homography", type=Path, metavar="FILE",
        help="JSON with 3 rows of 3 numbers, of the picture's pixels: the road is straightened",
    )  # fmt: skip
    parser.add_argument("--hnet", type=Path, metavar="RUN", help="the same, predicted by H-Net")


def make_finder(arguments: argparse.Namespace) -> "LaneFinder":
    """Return what finds lanes as the arguments of `add_curves` ask."""
    from embedseg.driving.finder import LaneFinder, read_homography
    from embedseg.lanes.hnet import load_hnet

    if arguments.homography is not None and arguments.hnet is not None:
        raise ValueError("give either --homography or --hnet, not both")
    if arguments.degree is not None and arguments.curve == "spline":
        raise ValueError("--degree is a polynomial's; leave it or --curve spline out")
    plane = None if arguments.homography is None else read_homography(arguments.homography)
    hnet = None if arguments.hnet is None else load_hnet(arguments.hnet)
    return LaneFinder(
        load_model(arguments),
        method=arguments.curve,
        degree=LaneFinder.degree if arguments.degree is None else arguments.degree,
        homography=plane,
        hnet=hnet,
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the lanes of pictures; print what was written, report what failed."""
    from embedseg.device import keep_memory
    from embedseg.driving.outputs import list_pictures, predict_lanes
    from embedseg.lanes.video import FOLDER_RATE

    if arguments.rate is not None and not arguments.track:
        raise ValueError("--rate goes with --track: only the frames of a drive have times")
    keep_memory()
    pictures = list_pictures(arguments.pictures, arguments.names)
    outcome = predict_lanes(
        make_finder(arguments),
        pictures,
        arguments.out,
        arguments.format,
        overlays=arguments.overlays,
        track=arguments.track,
        rate=FOLDER_RATE if arguments.rate is None else arguments.rate,
        batch=arguments.batch,
    )
    print(
        f"{counted(outcome.frames, 'picture')}, {counted(outcome.lanes, 'lane')}, "
        f"{outcome.rate:.1f} a second -> {arguments.out}"
    )
    if outcome.failures:
        failed, count = len(outcome.failures), len(pictures.names)
        print(f"{failed} of {count} pictures failed, see above", file=sys.stderr)
    return PARTLY_FAILED if outcome.failures else 0
