"""MCC loss: one minus the soft Matthews correlation of prediction and truth."""

import torch
from torch import Tensor

from embedseg.losses._module import LossModule
from embedseg.losses._pixels import ClassWeight, Reduction, safe
from embedseg.losses._regions import reduce_classes, region_pixels, region_sums

TINY = 1e-20  # floor of the product of four rates: keeps the gradient of its root finite


def mcc_loss(
    logits: Tensor,
    target: Tensor,
    *,
    ignore_index: int = -1,
    weight: ClassWeight = None,
    reduction: Reduction = "mean",
    per_image: bool = False,
) -> Tensor:
    """Return the Matthews correlation loss.

    Formula: mean_l 1 - (TP TN - FP FN) / sqrt((TP+FP) (TP+FN) (TN+FP) (TN+FN))
    Paper: arXiv:2010.13454
    When: both kinds of error and the true negatives should count; steady under imbalance.

    Each class is taken against all others. The correlation is not defined for a class without a
    pixel or with all of them: such a class is left out. Binary logits, pooling and weights as in
    `dice_loss`.
    """
    pixels = region_pixels(logits, target, ignore_index, weight)
    overlap, predicted, truth = region_sums(pixels, per_image)
    count = pixels.counts()[:, None] if per_image else pixels.counts().sum()
    count = safe(count.to(overlap.dtype))
    hit, said, true = overlap / count, predicted / count, truth / count
    spread = said * (1 - said) * true * (1 - true)
    terms = 1 - (hit - said * true) / spread.clamp(min=TINY).sqrt()
    defined = (truth > 0) & (truth < count)
    terms = torch.where(defined, terms, 0)
    return reduce_classes(terms, defined, weight, reduction, pixels, "skip")


class MCCLoss(LossModule):
    """`mcc_loss` as a module."""

    function = staticmethod(mcc_loss)
