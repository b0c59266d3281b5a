"""Bending a sample: a smooth random displacement, so that tens of shapes become many.

After the elastic deformations of Simard et al. (2003) and of the U-Net (arXiv:1505.04597): normal
numbers on a coarse grid of NODES x NODES, one pair (dx, dy) for each node, are interpolated
cubically to every pixel p, and the output at p is the input at p + d(p).
"""

import numpy as np
from numpy.typing import NDArray

from embedseg._cv2 import cv2
from embedseg.augmentation import Border, Outside
from embedseg.data.geometry import BORDERS
from embedseg.data.sample import SEMANTIC_IGNORE, Sample
from embedseg.labels import BACKGROUND, IGNORE

NODES = 5  # along each axis: bends are as long as a quarter of the picture


def bend(
    sample: Sample,
    rng: np.random.Generator,
    *,
    largest: float,
    border: Border = "reflect",
    fill: tuple[int, int, int] = (0, 0, 0),
    outside: Outside = "ignore",
) -> Sample:
    """Return a bent copy of `sample`, of its own size.

    The standard deviation of d is drawn from 0 to `largest`, a fraction of the longer side. The
    image is sampled cubically, labels and classes at the nearest pixel; `border`, `fill` and
    `outside` as in `AugmentConfig`.
    """
    height, width = sample.labels.shape
    d = displacement((height, width), rng.uniform(0, largest) * max(height, width), rng)
    x = d[..., 0] + np.arange(width, dtype=np.float32)
    y = d[..., 1] + np.arange(height, dtype=np.float32)[:, None]
    image = cv2.remap(
        sample.image,
        x,
        y,
        interpolation=cv2.INTER_CUBIC,
        borderMode=getattr(cv2, BORDERS[border]),
        borderValue=fill,
    )
    rows, columns = np.rint(y).astype(np.intp), np.rint(x).astype(np.intp)
    gone = (rows < 0) | (rows >= height) | (columns < 0) | (columns >= width)
    at = (rows.clip(0, height - 1), columns.clip(0, width - 1))
    ignore = outside == "ignore"
    labels = np.where(gone, IGNORE if ignore else BACKGROUND, sample.labels[at])
    semantic = sample.semantic
    if semantic is not None:
        filling = SEMANTIC_IGNORE if ignore else BACKGROUND
        semantic = np.where(gone, filling, semantic[at]).astype(semantic.dtype)
    labels = labels.astype(sample.labels.dtype)
    return Sample(np.asarray(image, np.uint8), labels, semantic, sample.name)


def displacement(
    size: tuple[int, int], sigma: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Return d (H, W, 2), x before y, in pixels; `sigma` is its deviation at the nodes."""
    nodes = rng.normal(0, sigma, (NODES, NODES, 2)).astype(np.float32)
    return np.asarray(cv2.resize(nodes, size[::-1], interpolation=cv2.INTER_CUBIC), np.float32)
