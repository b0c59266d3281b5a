"""What is measured of each instance: the rows of summary.csv."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
    rows, columns = np.nonzero(labels > 0)
    if not len(rows):
        return []
    ids, index = np.unique(labels[rows, columns], return_inverse=True)
    area = np.bincount(index)
    order = np.argsort(index, kind="stable")
    first = np.concatenate([[0], np.cumsum(area)[:-1]])
    box = [
        extreme.reduceat(place[order], first)
        for place in (rows, columns)
        for extreme in (np.minimum, np.maximum)
    ]
    centre = [np.bincount(index, weights=place) / area for place in (rows, columns)]
    colours = np.full((3, len(ids)), np.nan)
    if image is not None:
        pixels = image[rows, columns]
        colours = np.stack([np.bincount(index, weights=pixels[:, c]) / area for c in range(3)])
    return [
        {
            "image": name,
            "id": int(ids[k]),
            "area": int(area[k]),
            "centroid_row": round(float(centre[0][k]), 2),
            "centroid_column": round(float(centre[1][k]), 2),
            "row_min": int(box[0][k]),
            "column_min": int(box[2][k]),
            "row_max": int(box[1][k]),
            "column_max": int(box[3][k]),
            "score": round(scores.get(int(ids[k]), 1.0), 4),
            "mean_red": round(float(colours[0, k]), 2),
            "mean_green": round(float(colours[1, k]), 2),
            "mean_blue": round(float(colours[2, k]), 2),
        }
        for k in range(len(ids))
    ]
