"""Boundary-band loss: a loss on the pixels near the border alone."""

from typing import Literal

import torch
from torch import Tensor

from embedseg.losses._module import LossModule
from embedseg.losses._pixels import ClassWeight, Reduction, check_tensors
from embedseg.losses._window import mixed_window
from embedseg.losses.cross_entropy import cross_entropy_loss
from embedseg.losses.lovasz import lovasz_hinge_loss, lovasz_softmax_loss


def band_target(target: Tensor, *, width: int = 15, ignore_index: int = -1) -> Tensor:
    """Return the target with all pixels ignored whose square window holds one class only.

    Integers become int64. `width` is the side of the window in pixels, odd: 15 published, 5 in
    SINet's first stage.
    """
    check_tensors(target=target)
    near = mixed_window(target, width, ignore_index)
    if not target.is_floating_point():
        target = target.long()  # unsigned numbers have no -1
    return torch.where(near, target, ignore_index)


def band_loss(
    logits: Tensor,
    target: Tensor,
    *,
    ignore_index: int = -1,
    weight: ClassWeight = None,
    reduction: Reduction = "mean",
    per_image: bool = False,
    width: int = 15,
    base: Literal["cross_entropy", "lovasz"] = "cross_entropy",
) -> Tensor:
    """Return cross-entropy, or the Lovasz loss, of the pixels in a band along the border.

    Formula: L(z, y restricted to dilate(y) - erode(y))
    Paper: arXiv:1911.09099 (SINet)
    When: beside the same loss on the whole picture, with factor 0.5, for sharper borders.

    `width` as in `band_target`. `base="lovasz"` is the hinge for one logit and the softmax form for
    several. Without a border in the picture the loss is 0.
    """
    if base not in ("cross_entropy", "lovasz"):
        raise ValueError(f"base is {base!r}; choose from: cross_entropy, lovasz")
    lovasz = lovasz_hinge_loss if logits.shape[1] == 1 else lovasz_softmax_loss
    return (lovasz if base == "lovasz" else cross_entropy_loss)(
        logits,
        band_target(target, width=width, ignore_index=ignore_index),
        ignore_index=ignore_index,
        weight=weight,
        reduction=reduction,
        per_image=per_image,
    )


class BandLoss(LossModule):
    """`band_loss` as a module."""

    function = staticmethod(band_loss)
