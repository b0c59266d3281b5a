"""All drawings of one segmented picture, by name: what `embedseg visualize` writes as PNG."""

from typing import cast

import numpy as np

from embedseg._cv2 import cv2
from embedseg.viz.arrays import Array, Mask, Picture
from embedseg.viz.compare import compare
from embedseg.viz.explorer_data import resize, resize_labels
from embedseg.viz.legend import with_scale
from embedseg.viz.maps import (
    HEAT_STOPS,
    MARGIN_STOPS,
    distance_map,
    heat_picture,
    margin_map,
    margin_picture,
)
from embedseg.viz.overlay import anchors, overlay
from embedseg.viz.pca import PcaBasis, pca_rgb

_LEAST = 512  # pixels of the longer side; smaller pictures are drawn enlarged by a whole factor
_RING = 7  # radius in pixels of the mark around the pixel that distances are measured from


def drawings(
    image: Picture,
    embedding: Array,
    foreground: Array,
    labels: Array,
    truth: Array | None = None,
    *,
    delta_d: float = 1.5,
    threshold: float = 0.5,
    reference: PcaBasis | None = None,
) -> tuple[dict[str, Picture], PcaBasis]:
    """Return the drawings of one picture, name -> RGB uint8 (H, W, 3), and the basis of its PCA.

    `image` (H, W, 3) uint8; `embedding` (E, h, w); `foreground` a probability of any size;
    `labels` and `truth` (H, W). Drawn are

    - overlay: instances with outlines and ids;
    - pca: the embedding's three main directions as colours, in the foreground (`reference`: the
      basis of an earlier picture, to which order and signs are made to agree);
    - foreground: its probability;
    - heat: distance in the embedding to one pixel, deep inside the largest instance (ringed);
    - margin: distance to the own mean minus that to the nearest other;
    - errors: prediction against truth.

    Heat needs an instance, margin two, errors the truth; what cannot be drawn is left out. Colour
    scales end at 2 delta_d, the distance to which the loss pushes means. A picture whose longer
    side is below 512 pixels is drawn larger by a whole factor.
    """
    factor = max(1, -(-_LEAST // max(image.shape[:2])))
    size = (factor * image.shape[0], factor * image.shape[1])
    grid = (embedding.shape[1], embedding.shape[2])
    coarse = resize_labels(labels, grid)
    image, labels = _enlarged(image, size), resize_labels(labels, size)
    mask = resize(foreground, grid) >= threshold
    colors, basis = pca_rgb(embedding, mask, reference=reference)
    pictures = {
        "overlay": overlay(image, labels, ids=True),
        "pca": _enlarged(colors, size),
        "foreground": _grey(resize(foreground, size)),
    }
    count = len(np.unique(labels[labels > 0]))
    if count > 0:
        pictures["heat"] = _heat(embedding, coarse, mask, size, 2 * delta_d)
    if count > 1:
        margin = margin_picture(margin_map(embedding, coarse), reach=2 * delta_d)
        pictures["margin"] = with_scale(
            _enlarged(margin, size), MARGIN_STOPS, "surely its own", "nearer to another"
        )
    if truth is not None:
        pictures["errors"] = compare(image, labels, resize_labels(truth, size), key=True)
    return pictures, basis


def _heat(
    embedding: Array, coarse: Array, mask: Mask, size: tuple[int, int], reach: float
) -> Picture:
    """Draw distances to the deepest pixel of the largest instance, which is ringed."""
    places = anchors(coarse) or {1: (0.5, 0.5, 1.0)}
    areas = np.bincount(coarse[coarse > 0]) if (coarse > 0).any() else np.array([0, 1])
    x, y, _ = places[int(areas.argmax())]
    heat = heat_picture(distance_map(embedding, int(y), int(x)), reach=reach, mask=mask)
    picture = _enlarged(heat, size)
    at = (round(x * size[1] / coarse.shape[1]), round(y * size[0] / coarse.shape[0]))
    for color, thickness in (((0, 0, 0), 4), ((255, 255, 255), 2)):
        cv2.circle(picture, at, _RING, color, thickness, cv2.LINE_AA)
    return with_scale(picture, HEAT_STOPS, "like the ringed pixel", f"{reach:g} away")


def _grey(probability: Array) -> Picture:
    bytes_ = np.rint(255 * np.clip(probability, 0, 1)).astype(np.uint8)
    return np.repeat(bytes_[..., None], 3, axis=2)


def _enlarged(picture: Picture, size: tuple[int, int]) -> Picture:
    """Bring a picture to `size`; where it grows, pixels stay squares."""
    if picture.shape[:2] == size:
        return picture.copy()
    how = cv2.INTER_AREA if size[0] < picture.shape[0] else cv2.INTER_NEAREST
    return cast(Picture, np.asarray(cv2.resize(picture, size[::-1], interpolation=how)))
