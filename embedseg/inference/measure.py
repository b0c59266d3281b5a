"""What is measured of each instance: the rows of summary.csv."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

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
    compact, id_of = relabel(labels)
    rows, columns = np.nonzero(compact > 0)
    if not len(rows):
        return []
    index = compact[rows, columns] - 1
    area = np.bincount(index)
    boxes = ndimage.find_objects(np.maximum(compact, 0))
    centre = [np.bincount(index, weights=place) / area for place in (rows, columns)]
    colours = np.full((3, len(area)), np.nan)
    if image is not None:
        pixels = image[rows, columns]
        colours = np.stack([np.bincount(index, weights=pixels[:, c]) / area for c in range(3)])
    return [
        {
            "image": name,
            "id": old,
            "area": int(area[k]),
            "centroid_row": round(float(centre[0][k]), 2),
            "centroid_column": round(float(centre[1][k]), 2),
            "row_min": box[0].start,
            "column_min": box[1].start,
            "row_max": box[0].stop - 1,
            "column_max": box[1].stop - 1,
            "score": round(scores.get(old, 1.0), 4),
            "mean_red": round(float(colours[0, k]), 2),
            "mean_green": round(float(colours[1, k]), 2),
            "mean_blue": round(float(colours[2, k]), 2),
        }
        for k, (old, box) in enumerate(zip(id_of.values(), boxes, strict=True))
    ]
