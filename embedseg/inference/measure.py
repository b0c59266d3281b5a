"""What is measured of each instance: the rows of summary.csv."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clustering.jit import kernel
from embedseg.labels import relabel

COLUMNS = (
    "image", "id", "area", "centroid_row", "centroid_column",
    "row_min", "column_min", "row_max", "column_max", "score",
    "mean_red", "mean_green", "mean_blue",
)  # fmt: skip


def measure(
    labels: NDArray[np.int32],
    scores: Mapping[int, float],
    image: NDArray[np.uint8] | None = None,
    name: str = "",
) -> list[dict[str, Any]]:
    """Return one row per instance of `labels` (H, W), in the order of ids.

    area in pixels, centroid and bounding box in pixels from the top left (the box's maxima are its
    last row and column), score in [0, 1], mean colour in grey levels of `image` (H, W, 3).
    """
    compact, id_of = labels, None
    if labels.max(initial=0) > labels.size:  # ids too wide apart for a table
        compact, id_of = relabel(labels)
    sums, boxes = totals(np.ascontiguousarray(compact, np.int32), image)
    rows = []
    for k in np.flatnonzero(sums[:, 0]).tolist():
        area = int(sums[k, 0])
        down, right, red, green, blue = (sums[k, 1:] / area).tolist()
        colour = (red, green, blue) if image is not None else (np.nan,) * 3
        old = k if id_of is None else id_of[k]
        values = (
            name, old, area, round(down, 2), round(right, 2),
            *boxes[k].tolist(), round(scores.get(old, 1.0), 4), *(round(c, 2) for c in colour),
        )  # fmt: skip
        rows.append(dict(zip(COLUMNS, values, strict=True)))
    return rows


def totals(
    labels: NDArray[np.int32], image: NDArray[np.uint8] | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return sums (n + 1, 6) of 1, row, column, red, green, blue over the pixels of each id 0..n.

    And boxes (n + 1, 4): least row and column, greatest row and column. Id 0 is left out.
    """
    count = int(labels.max(initial=0)) + 1
    sums = np.zeros((count, 6), np.int64)
    boxes = np.zeros((count, 4), np.int64)
    boxes[:, :2] = np.iinfo(np.int64).max
    picture = np.empty((0, 0, 3), np.uint8) if image is None else np.ascontiguousarray(image)
    add_pixels(labels, picture, sums, boxes)
    return sums, boxes


@kernel
def add_pixels(labels: Any, picture: Any, sums: Any, boxes: Any) -> None:
    """Add each pixel (H, W) of an id > 0 to the sums and the boxes of `totals`."""
    coloured = len(picture) > 0
    for row in range(labels.shape[0]):
        for column in range(labels.shape[1]):
            label = labels[row, column]
            if label > 0:
                total, box = sums[label], boxes[label]
                total[0] += 1
                total[1] += row
                total[2] += column
                if coloured:
                    for c in range(3):
                        total[3 + c] += picture[row, column, c]
                box[0], box[1] = min(box[0], row), min(box[1], column)
                box[2], box[3] = max(box[2], row), max(box[3], column)
