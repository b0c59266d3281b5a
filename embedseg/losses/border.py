"""Border loss: focal loss of a one-channel side head against the borders of instances."""

from torch import Tensor

from embedseg.losses._module import LossModule
from embedseg.losses._pixels import Reduction, check_tensors
from embedseg.losses._window import mixed_window
from embedseg.losses.focal import focal_loss


def border_target(instances: Tensor, *, width: int = 7, ignore_index: int = -1) -> Tensor:
    """Return (B, *S) int64: 1 near a border between two labels, 0 elsewhere, ignored as given.

    Near means that the square window of `width` pixels (odd) around the pixel holds two labels,
    so touching instances are parted too. DFN takes Canny edges of the class mask, dilated by 7x7.
    """
    check_tensors(instances=instances)
    instances = instances.long()
    mixed = mixed_window(instances, width, ignore_index).long()
    return mixed.masked_fill(instances == ignore_index, ignore_index)


def border_loss(
    logits: Tensor,
    instances: Tensor,
    *,
    ignore_index: int = -1,
    reduction: Reduction = "mean",
    per_image: bool = False,
    width: int = 7,
    alpha: float | None = 0.25,
    gamma: float = 2.0,
) -> Tensor:
    """Return DFN's border loss of (B, 1, *S) logits against (B, *S) instance labels.

    Formula: focal(z, border), a = 0.25, g = 2
    Paper: arXiv:1804.09337 (DFN)
    When: touching instances merge; a border head as a side task with factor 0.1.

    `width` as in `border_target`; `alpha` and `gamma` as in `focal_loss`.
    """
    if logits.ndim > 1 and logits.shape[1] != 1:
        raise ValueError(f"the border head has 1 channel, got {logits.shape[1]}")
    return focal_loss(
        logits,
        border_target(instances, width=width, ignore_index=ignore_index),
        ignore_index=ignore_index,
        reduction=reduction,
        per_image=per_image,
        alpha=alpha,
        gamma=gamma,
    )


class BorderLoss(LossModule):
    """`border_loss` as a module."""

    function = staticmethod(border_loss)
