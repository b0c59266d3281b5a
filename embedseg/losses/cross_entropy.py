"""Cross-entropy: minus the logarithm of the probability of the true class, binary or of K."""

from torch import Tensor
from torch.nn import functional as F  # noqa: N812 (the usual name)

from embedseg.losses._module import LossModule
from embedseg.losses._pixels import (
    ClassWeight,
    Pixels,
    Reduction,
    class_weights,
    flatten,
    reduce_pixels,
)


def cross_entropy_loss(
    logits: Tensor,
    target: Tensor,
    *,
    ignore_index: int = -1,
    weight: ClassWeight = None,
    reduction: Reduction = "mean",
    per_image: bool = False,
    label_smoothing: float = 0.0,
) -> Tensor:
    """Return the cross-entropy of (B, K, *S) logits and a (B, *S) target.

    Formula: mean_n w_y(n) (-log p_y(n)(n)) / mean_n w_y(n)
    Paper: textbook; label smoothing arXiv:1512.00567
    When: the steady default; add a region loss when the foreground is small.

    K = 1 is binary: p_1 = sigmoid(logit), p_0 = 1 - p_1. `weight` has one number per class (two
    for K = 1); the mean divides by the sum of the weights of the pixels, as in PyTorch.
    `label_smoothing` e in [0, 1] replaces the truth r by (1 - e) r + e / K (K = 2 for binary);
    unlike PyTorch the weight is that of the true class for all terms of a pixel.
    `per_image` takes the mean within each image first. "none" gives (B, *S), 0 where ignored.
    Ignored pixels take no part; with none left the loss is 0.
    """
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"label_smoothing must lie in [0, 1], got {label_smoothing}")
    pixels = flatten(logits, target, ignore_index)
    mass = pixel_mass(pixels, weight)
    values = pixel_cross_entropy(pixels, label_smoothing)
    return reduce_pixels(values, mass, reduction, per_image, target.shape)


def pixel_cross_entropy(pixels: Pixels, label_smoothing: float = 0.0) -> Tensor:
    """Return (B, N) cross-entropies, of ignored pixels too."""
    if pixels.logits.shape[1] > 1:
        return F.cross_entropy(
            pixels.logits, pixels.target, reduction="none", label_smoothing=label_smoothing
        )
    logit = pixels.logits[:, 0]
    truth = pixels.target.to(logit.dtype)
    if label_smoothing:
        truth = truth * (1 - label_smoothing) + label_smoothing / 2
    return F.binary_cross_entropy_with_logits(logit, truth, reduction="none")


def pixel_mass(pixels: Pixels, weight: ClassWeight) -> Tensor:
    """Return (B, N) class weights of the pixels, 0 where ignored."""
    valid = pixels.valid.to(pixels.logits.dtype)
    if weight is None:
        return valid
    values = class_weights(weight, max(pixels.logits.shape[1], 2), pixels.logits)
    return values[pixels.target] if pixels.whole else values[pixels.target] * valid


def binary_cross_entropy_loss(
    logits: Tensor,
    target: Tensor,
    *,
    ignore_index: int = -1,
    weight: ClassWeight = None,
    reduction: Reduction = "mean",
    per_image: bool = False,
    label_smoothing: float = 0.0,
) -> Tensor:
    """Return `cross_entropy_loss` of one logit, refusing more.

    Formula: mean_n -(y log p + (1 - y) log(1 - p)), p = sigmoid(logit)
    Paper: textbook
    When: one foreground class; the same as cross_entropy there.
    """
    if logits.ndim > 1 and logits.shape[1] != 1:
        raise ValueError(f"bce takes 1 channel, got {logits.shape[1]}; use 'cross_entropy' instead")
    return cross_entropy_loss(
        logits,
        target,
        ignore_index=ignore_index,
        weight=weight,
        reduction=reduction,
        per_image=per_image,
        label_smoothing=label_smoothing,
    )


class CrossEntropyLoss(LossModule):
    """`cross_entropy_loss` as a module."""

    function = staticmethod(cross_entropy_loss)


class BinaryCrossEntropyLoss(LossModule):
    """`binary_cross_entropy_loss` as a module."""

    function = staticmethod(binary_cross_entropy_loss)
