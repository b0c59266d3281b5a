"""`embedseg predict RUN drive.mp4 --out drive_lanes.mp4`: the lanes of a drive, as a video."""

import argparse
import sys
from pathlib import Path

from embedseg.commands.common import PARTLY_FAILED, counted, load_model


def check(arguments: argparse.Namespace) -> None:
    """Raise ValueError for what does not fit together, before a model is loaded."""
    from embedseg.inference.result import DEFAULT_PRODUCTS
    from embedseg.lanes.video import CODECS, is_video

    if not is_video(arguments.out):
        raise ValueError(
            f"{arguments.images[0]} is a video: give --out a video too, such as drive_lanes.mp4"
        )
    if arguments.out.suffix.lower() not in CODECS:
        raise ValueError(f"--out {arguments.out}: a video must end in {', '.join(CODECS)}")
    if len(arguments.images) != 1:
        raise ValueError(
            f"a video is made of one video or one folder of frames, got {len(arguments.images)}"
        )
    if arguments.foreground is not None or arguments.bandwidth is not None:
        raise ValueError("--foreground and --bandwidth are for pictures, not for videos")
    if tuple(arguments.save) != tuple(DEFAULT_PRODUCTS):
        raise ValueError(
            "--save is for pictures; of a video its lanes are drawn, and written as a table"
        )
    if arguments.tta not in (None, "none") or arguments.scales or arguments.ensemble:
        raise ValueError("--tta, --scales and --ensemble are for pictures, not for videos")


def run(arguments: argparse.Namespace) -> int:
    """Draw the lanes of a video or a folder of frames into a video; print the frames a second."""
    check(arguments)
    from embedseg.device import keep_memory
    from embedseg.driving.finder import LaneFinder
    from embedseg.driving.outputs import predict_drive

    keep_memory()
    outcome = predict_drive(
        LaneFinder(load_model(arguments)),
        Path(arguments.images[0]),
        arguments.out,
        rate=arguments.rate,
    )
    table = arguments.out.with_suffix(".csv")
    print(
        f"{counted(outcome.frames, 'frame')}, {counted(outcome.lanes, 'lane')}, "
        f"{outcome.seconds:.1f} s, "
        f"{outcome.rate:.1f} frames a second -> {arguments.out}, {table}"
    )
    if outcome.broken_off:
        print("embedseg: the drive seems not to be complete, see above", file=sys.stderr)
    return PARTLY_FAILED if outcome.broken_off else 0
