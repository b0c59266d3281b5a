"""Lovasz losses: the convex extension of the Jaccard loss, on hinge errors and on probabilities."""

import torch
from torch import Tensor

from embedseg.losses._module import LossModule
from embedseg.losses._pixels import ClassWeight, Reduction, flatten
from embedseg.losses._regions import (
    Absent,
    one_hot,
    probabilities,
    reduce_classes,
    region_pixels,
)


def lovasz_hinge_loss(
    logits: Tensor,
    target: Tensor,
    *,
    ignore_index: int = -1,
    weight: ClassWeight = None,
    reduction: Reduction = "mean",
    per_image: bool = False,
) -> Tensor:
    """Return the Lovasz hinge of one binary logit z.

    Formula: Lovasz extension of the Jaccard loss at max(0, 1 - z (2r - 1))
    Paper: arXiv:1705.08790
    When: one foreground class and IoU as the score, after a start with cross-entropy.

    The foreground alone counts; an image without any costs its largest error. The authors use
    `per_image=True`. `weight` gives the numbers of background (0 errors of it are counted) and
    foreground and is refused: a single class has nothing to weigh.
    """
    if logits.ndim > 1 and logits.shape[1] != 1:
        raise ValueError(
            f"lovasz_hinge takes 1 channel, got {logits.shape[1]}; use 'lovasz_softmax' instead"
        )
    if weight is not None:
        raise ValueError("lovasz_hinge has one class; leave weight out or use 'lovasz_softmax'")
    pixels = flatten(logits, target, ignore_index)
    truth = one_hot(pixels)
    margins = 1 - pixels.logits * (2 * truth.to(pixels.logits.dtype) - 1)
    errors = torch.where(pixels.valid[:, None], margins.relu(), 0)
    terms = _extension(errors, truth, per_image)
    return reduce_classes(terms, truth.sum(-1), None, reduction, pixels)


def lovasz_softmax_loss(
    logits: Tensor,
    target: Tensor,
    *,
    ignore_index: int = -1,
    weight: ClassWeight = None,
    reduction: Reduction = "mean",
    per_image: bool = False,
    absent: Absent = "skip",
) -> Tensor:
    """Return the Lovasz-softmax loss.

    Formula: mean_l Lovasz extension of the Jaccard loss at |r_l - p_l|
    Paper: arXiv:1705.08790
    When: IoU is the score; best as a second phase or beside cross-entropy.

    The mean runs over the classes present in the batch (in each image with `per_image`), as
    published; `absent="keep"` takes absent classes too, each at its largest error. Binary logits
    and `weight` as in `dice_loss`.
    """
    pixels = region_pixels(logits, target, ignore_index, weight)
    truth = one_hot(pixels)
    errors = (truth.to(pixels.logits.dtype) - probabilities(pixels)).abs()
    errors = torch.where(pixels.valid[:, None], errors, 0)
    terms = _extension(errors, truth, per_image)
    counts = truth.sum(-1) if per_image else truth.sum((0, -1))
    return reduce_classes(terms, counts, weight, reduction, pixels, absent)


def _extension(errors: Tensor, truth: Tensor, per_image: bool) -> Tensor:
    """Return the extension at (B, C, N) errors >= 0: (B, C) per image or (C,) over the batch.

    Errors are sorted downwards; the one at place i is weighed by the growth of the Jaccard loss
    J = 1 - I / U when pixel i joins the errors: 1 / U if it is foreground, else I / (U (U - 1)),
    with I the foreground not yet in error and U all foreground and the background in error. This
    form has no difference of nearly equal numbers. Zero errors, so ignored pixels, add nothing.
    """
    if not per_image:
        errors, truth = errors.transpose(0, 1).flatten(1), truth.transpose(0, 1).flatten(1)
    ordered, index = errors.sort(-1, descending=True)
    with torch.no_grad():
        growth = _growth(truth.gather(-1, index), errors.dtype)
    return (ordered * growth).sum(-1)


def _growth(truth: Tensor, dtype: torch.dtype) -> Tensor:
    """Return the growth of the Jaccard loss at each place of the (.., N) sorted truth."""
    total = truth.sum(-1, keepdim=True)
    inside = truth.cumsum(-1)
    place = torch.arange(1, truth.shape[-1] + 1, device=truth.device)
    left = (total - inside).to(dtype)
    union = (total + place - inside).to(dtype)
    background = torch.where(union > 1, left / (union * (union - 1).clamp(min=1)), 1)
    return torch.where(truth, 1 / union, background)


class LovaszHingeLoss(LossModule):
    """`lovasz_hinge_loss` as a module."""

    function = staticmethod(lovasz_hinge_loss)


class LovaszSoftmaxLoss(LossModule):
    """`lovasz_softmax_loss` as a module."""

    function = staticmethod(lovasz_softmax_loss)
