"""Refine loss: near the border the gradient of the mask follows the gradient of the image."""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 (the usual name)

from embedseg.losses._module import LossModule
from embedseg.losses._pixels import (
    ClassWeight,
    Reduction,
    check_tensors,
    flatten,
    promote,
    reduce_pixels,
)
from embedseg.losses._regions import probabilities
from embedseg.losses._window import mixed_window, window_touches
from embedseg.losses.cross_entropy import pixel_mass

FLAT = 1e-6  # added to squared gradient lengths, as in the released code


def refine_loss(  # noqa: PLR0913 (one signature for all losses)
    logits: Tensor,
    target: Tensor,
    *,
    ignore_index: int = -1,
    weight: ClassWeight = None,
    reduction: Reduction = "mean",
    per_image: bool = False,
    image: Tensor | None = None,
    width: int = 7,
    share: float = 0.5,
    magnitude: float = 1.5,
    padding: Literal["replicate", "constant"] = "replicate",
) -> Tensor:
    """Return BANet's refine loss of a plane.

    Formula: mean_n band(n) [c (1 - |cos(g, h)|) |h| + (1 - c) max(0, m |g| - |h|)]
    Paper: arXiv:1901.03814
    When: masks should snap to image edges; with a factor of about 0.1 beside a main loss.

    g and h are the Sobel gradients of the grey image (the mean of the channels of `image`
    (B, C, H, W), scaled to [0, 1], required) and of the foreground probability, 1 - p_0 for K > 1;
    c is `share`, m `magnitude`; a length is sqrt(gx^2 + gy^2 + 1e-6). The band is that of
    `band_target` with `width`, less the neighbours of ignored pixels; the mean is over all valid
    pixels, as in released code, which pads with zeros (`padding="constant"`) and so sees an edge
    around the picture. Two dimensions only.
    """
    if image is None or image.ndim != 4 or logits.ndim != 4:
        raise ValueError("refine needs image=(B, C, H, W) and logits of two space dimensions")
    if not 0 <= share <= 1 or not magnitude >= 0:
        raise ValueError(
            f"share must lie in [0, 1] and magnitude be >= 0, got {share} and {magnitude}"
        )
    check_tensors(image=image)
    pixels = flatten(logits, target, ignore_index)
    prob = probabilities(pixels)
    mask = prob[:, 0] if prob.shape[1] == 1 else 1 - prob[:, 0]
    grey = promote(image).to(mask.dtype).mean(1)
    (gx, gy, g), (hx, hy, h) = (
        _gradient(part, padding) for part in (grey, mask.reshape(target.shape))
    )
    direction = (1 - (gx * hx + gy * hy).abs() / (g * h)) * h
    values = share * direction + (1 - share) * (magnitude * g - h).clamp(min=0)
    blind = window_touches(target == ignore_index, 3)
    band = mixed_window(target, width, ignore_index) & ~blind
    mass = pixel_mass(pixels, weight)
    return reduce_pixels((values * band).flatten(1), mass, reduction, per_image, target.shape)


def _gradient(values: Tensor, padding: str) -> tuple[Tensor, Tensor, Tensor]:
    """Return the Sobel gradient of (B, H, W) along x and y and its length.

    Differences, not a convolution: autocast would take that to half precision.
    """
    if padding not in ("replicate", "constant"):
        raise ValueError(f"padding is {padding!r}; choose from: replicate, constant")
    grown = F.pad(values[:, None], (1, 1, 1, 1), mode=padding)[:, 0]
    across = grown[:, :, :-2] - grown[:, :, 2:]
    down = grown[:, :-2] - grown[:, 2:]
    gx = across[:, :-2] + 2 * across[:, 1:-1] + across[:, 2:]
    gy = down[:, :, :-2] + 2 * down[:, :, 1:-1] + down[:, :, 2:]
    return gx, gy, torch.sqrt(gx * gx + gy * gy + FLAT)


class RefineLoss(LossModule):
    """`refine_loss` as a module."""

    function = staticmethod(refine_loss)
