"""LDAM: cross-entropy with a margin that is larger for rarer classes."""

import torch
from torch import Tensor

from embedseg.losses._module import LossModule
from embedseg.losses._pixels import ClassWeight, Reduction, flatten, reduce_pixels, safe
from embedseg.losses.class_frequency import Counts, counts_of
from embedseg.losses.cross_entropy import pixel_cross_entropy, pixel_mass


def ldam_loss(  # noqa: PLR0913 (one signature for all losses)
    logits: Tensor,
    target: Tensor,
    *,
    ignore_index: int = -1,
    weight: ClassWeight = None,
    reduction: Reduction = "mean",
    per_image: bool = False,
    counts: Counts = None,
    max_margin: float = 0.5,
    scale: float = 30.0,
) -> Tensor:
    """Return the label-distribution-aware margin loss.

    Formula: CE(s (z - D_y e_y), y), D_l = m (n_min / n_l)^(1/4)
    Paper: arXiv:1906.07413
    When: strongly unequal class counts and a head with normalised features; s = 1 otherwise.

    `max_margin` m goes to the rarest class; `counts` n are the pixels of each class in the training
    set, or in this batch if not given, with `per_image` too (classes absent there take no part in
    n_min and have no margin). The published scale s = 30 is for logits that are cosines. A binary
    logit z stands for the two logits (0, z). `weight` and the mean are those of
    `cross_entropy_loss`.
    """
    if max_margin < 0 or scale <= 0:
        raise ValueError(f"max_margin must be >= 0 and scale > 0, got {max_margin} and {scale}")
    pixels = flatten(logits, target, ignore_index, two=True)
    like = pixels.logits
    seen = counts_of(pixels, counts)
    inverse = torch.where(seen > 0, safe(seen) ** -0.25, 0)
    margins = max_margin * inverse / inverse.max().clamp(min=torch.finfo(like.dtype).tiny)
    shift = torch.zeros_like(like).scatter(
        1, pixels.target[:, None], margins[pixels.target][:, None]
    )
    values = pixel_cross_entropy(pixels._replace(logits=scale * (like - shift)))
    return reduce_pixels(values, pixel_mass(pixels, weight), reduction, per_image, target.shape)


class LDAMLoss(LossModule):
    """`ldam_loss` as a module."""

    function = staticmethod(ldam_loss)
