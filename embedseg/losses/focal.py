"""Focal loss: cross-entropy that fades where the true class is already likely."""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 (the usual name)

from embedseg.losses._module import LossModule
from embedseg.losses._pixels import ClassWeight, Pixels, Reduction, flatten, reduce_pixels
from embedseg.losses._regions import one_hot
from embedseg.losses.cross_entropy import pixel_cross_entropy, pixel_mass

TINY = 1e-12  # floor of 1 - p_t: keeps the gradient of its power finite for gamma < 1


def focal_loss(  # noqa: PLR0913 (one signature for all losses)
    logits: Tensor,
    target: Tensor,
    *,
    ignore_index: int = -1,
    weight: ClassWeight = None,
    reduction: Reduction = "mean",
    per_image: bool = False,
    gamma: float = 2.0,
    alpha: float | None = None,
    form: Literal["softmax", "sigmoid"] = "softmax",
) -> Tensor:
    """Return the focal loss, formed per pixel before any mean.

    Formula: mean_n -(1 - p_y(n))^g log p_y(n)
    Paper: arXiv:1708.02002
    When: many easy pixels; a gentler OHEM. g = 2.

    `form="sigmoid"` treats each of the K logits as a problem of its own (RetinaNet) and sums their
    K terms per pixel; MONAI also divides by K, in both forms. `alpha` in [0, 1], for binary logits
    only, multiplies foreground by alpha and background by 1 - alpha and, as published, does not
    enter the divisor; `weight` does (see `cross_entropy_loss`).
    """
    if gamma < 0:
        raise ValueError(f"gamma must be >= 0, got {gamma}")
    if form not in ("softmax", "sigmoid"):
        raise ValueError(f"form is {form!r}; choose from: softmax, sigmoid")
    pixels = flatten(logits, target, ignore_index)
    values = _terms(pixels, gamma) if form == "softmax" else _sigmoid_terms(pixels, gamma)
    if alpha is not None:
        if logits.shape[1] != 1:
            raise ValueError("alpha is for binary logits; use weight, one number per class")
        if not 0 <= alpha <= 1:
            raise ValueError(f"alpha must lie in [0, 1], got {alpha}; the published value is 0.25")
        values = values * torch.where(pixels.target == 1, values.new_tensor(alpha), 1 - alpha)
    return reduce_pixels(values, pixel_mass(pixels, weight), reduction, per_image, target.shape)


def _terms(pixels: Pixels, gamma: float) -> Tensor:
    return _fade(pixel_cross_entropy(pixels), gamma)


def _sigmoid_terms(pixels: Pixels, gamma: float) -> Tensor:
    truth = one_hot(pixels).to(pixels.logits.dtype)
    entropy = F.binary_cross_entropy_with_logits(pixels.logits, truth, reduction="none")
    return _fade(entropy, gamma).sum(1)


def _fade(entropy: Tensor, gamma: float) -> Tensor:
    """Return (1 - p)^gamma * entropy with p = exp(-entropy)."""
    return (-torch.expm1(-entropy)).clamp(min=TINY) ** gamma * entropy


class FocalLoss(LossModule):
    """`focal_loss` as a module."""

    function = staticmethod(focal_loss)
