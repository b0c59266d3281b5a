"""Augmentation of a road picture: lanes and pixels move by one matrix, then light and weather.

The lanes are drawn anew after the move, so that strokes keep their width and lose nothing to
nearest-neighbour sampling. A mirrored road is a road: ids stay with their lanes.
"""

import numpy as np

from embedseg.augmentation import AugmentConfig
from embedseg.data.lane_sample import LaneSample
from embedseg.data.transforms import change_light, ignore_slivers, move
from embedseg.labels import IGNORE
from embedseg.lanes.masks import draw_lanes
from embedseg.lanes.polylines import clipped, moved


def augment_lanes(
    sample: LaneSample, config: AugmentConfig, rng: np.random.Generator
) -> LaneSample:
    """Return a randomly changed copy of a road; the same generator state gives the same copy.

    `config` means what it means for `augment`; the lanes of the result are cut at its border.
    Raises ValueError where `config` asks for bending, which polylines do not follow.
    """
    if config.elastic:
        raise ValueError("lanes are not bent; set augment.elastic to 0")
    seen, matrix = move(sample, config, rng)
    placed = moved(sample.lanes, matrix, (seen.labels.shape[0], seen.labels.shape[1]))
    labels = draw_lanes(placed, width=sample.width)
    labels[seen.labels == IGNORE] = IGNORE
    labels = ignore_slivers(labels, config.min_pixels)
    image = change_light(seen.image, config, rng)
    return LaneSample(image, labels, None, sample.name, clipped(placed), sample.width)
