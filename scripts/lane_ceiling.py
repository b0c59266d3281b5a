"""What the representation can reach on TuSimple: truth -> strokes -> ideal embeddings -> the score.

Every frame's lanes become strokes at 512 x 256, whose pixels get embeddings of zero loss;
mean-shift clusters them and every cluster, split where it is two lanes, becomes a curve in the
picture of 1280 x 720, read at the truth's rows. What is lost of the score is lost by strokes,
clustering and curves alone.

    python scripts/lane_ceiling.py LABELS.json [--every N] [--width PX] [--degree N] [--spline]
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clustering import MeanShift
from embedseg.lanes.curves import fit_lanes
from embedseg.lanes.masks import draw_lanes
from embedseg.lanes.pieces import split_lanes
from embedseg.lanes.tusimple import SIZE, from_record, read_records, to_record
from embedseg.metrics.lanes import TuSimpleScore, tusimple_score

WORKING = (256, 512)
BANDWIDTH = 1.5  # of the loss's delta_v 0.5 and delta_d 1.5


def ceiling(truth: Sequence[dict[str, Any]], *, width: float = 5.0, **curve: Any) -> TuSimpleScore:
    """Return the score of `truth` after strokes `width` wide, clustering and curves."""
    rng = np.random.default_rng(0)
    found = []
    for record in truth:
        labels = draw_lanes(from_record(record), WORKING, width=width)
        mask = labels > 0
        clusters = MeanShift(bandwidth=BANDWIDTH).fit_image(ideal_embedding(labels, rng), mask)
        segmented = np.zeros(WORKING, np.int32)
        segmented[mask] = clusters.labels_ + 1
        segmented, _ = split_lanes(segmented)
        lanes = fit_lanes(segmented, SIZE, name=record["raw_file"], **curve)
        found.append(to_record(lanes, record["h_samples"]))
    return tusimple_score(found, truth)


def ideal_embedding(labels: NDArray[np.int32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Return (4, h, w): means 3 = 2 delta_d apart or more, pixels within delta_v of them."""
    count = int(labels.max())
    means = 3.0 * np.array([[i % 2, i // 2 % 2, i // 4, 0] for i in range(count + 1)], float)
    spread = rng.uniform(-0.25, 0.25, (4, *labels.shape))
    return (means[labels].transpose(2, 0, 1) + spread).astype(np.float32)


def main() -> None:
    """Print the score of a label file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("labels", type=Path)
    parser.add_argument("--every", type=int, default=1, help="take each N-th frame")
    parser.add_argument(
        "--width", type=float, default=5.0, help="of the strokes, pixels at 512x256"
    )
    parser.add_argument("--degree", type=int, default=3, help="of the polynomials")
    parser.add_argument("--spline", action="store_true", help="smoothing splines instead")
    options = parser.parse_args()
    records = read_records(options.labels)[:: options.every]
    method = "spline" if options.spline else "polynomial"
    score = ceiling(records, width=options.width, method=method, degree=options.degree)
    print(
        f"{len(records)} frames: accuracy {score.accuracy:.6f}, FP {score.fp:.6f}, "
        f"FN {score.fn:.6f}, F1 {score.f1:.6f}"
    )


if __name__ == "__main__":
    main()
