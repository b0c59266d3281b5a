"""From the raw maps of a network to spatial embeddings: a place each pixel points to, and how far.

arXiv:1906.11109: e_i = x_i + tanh(o_i) with the position x_i of the pixel, tanh in units of the
image's longer side, so that a pixel can reach any place in it. A second output is
ln(1 / (2 sigma_i^2)), the precision with which it points.

Places are counted in twentieths of the longer side of the pictures of the training. The centres of
neighbouring objects are then a few units apart, as the means of embeddings with the usual margins
are, and everything that draws or clusters embeddings by those margins shows something here too. A
picture of another size is counted in the same pixels: a network knows of a pixel's surroundings,
not of the picture's size, and offsets learned in one unit would overshoot in a larger one.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

SIDE = 20.0  # units of the longer side of a picture of the training
OFFSET_SCALE = 0.1  # a new network's outputs, of order 1, begin as offsets of 2 units
LOG_PRECISION = -1.0  # ln(1 / (2 sigma^2)) at the start: sigma is 6% of the longer side


def spatial_maps(
    raw: Tensor, raw_precision: Tensor, size: Sequence[int], stride: int, unit: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Return e and ln(1 / (2 sigma^2)), both (B, E, *T) float32, for raw maps of that shape.

    `size` (E numbers) is that of the image, `stride` that of the maps, `unit` the pixels of a unit
    (0: a twentieth of the longer side). The first channel lies along the last axis (x).
    """
    unit = unit or max(size) / SIDE
    lines = [
        torch.arange(t, device=raw.device, dtype=torch.float32) * (stride / unit)
        for t in raw.shape[2:]
    ]
    position = torch.stack(torch.meshgrid(*lines, indexing="ij")[::-1])
    return (
        position + SIDE * torch.tanh(OFFSET_SCALE * raw.float()),
        raw_precision.float() + LOG_PRECISION,
    )
