"""Generalised Wasserstein Dice loss: Dice in which confusing near classes costs less."""

from collections.abc import Sequence

import torch
from torch import Tensor

from embedseg.losses._module import LossModule
from embedseg.losses._pixels import ClassWeight, Reduction, class_weights, flatten
from embedseg.losses._regions import check_smooth, probabilities, reduce_images


def wasserstein_dice_loss(  # noqa: PLR0913 (one signature for all losses)
    logits: Tensor,
    target: Tensor,
    *,
    ignore_index: int = -1,
    weight: ClassWeight = None,
    reduction: Reduction = "mean",
    per_image: bool = False,
    distances: Tensor | Sequence[Sequence[float]] | None = None,
    background: int = 0,
    smooth: float = 1e-6,
) -> Tensor:
    """Return the generalised Wasserstein Dice loss.

    Formula: 1 - 2 T / (2 T + sum_n W), W(n) = sum_l M[y, l] p_l, T = sum_n M[y, b] (1 - W)
    Paper: arXiv:1707.00478
    When: classes form a hierarchy, so that some confusions are mild.

    `distances` is the (K, K) matrix M >= 0 with a zero diagonal, scaled here to a largest entry
    of 1; by default 1 - I. `background` b is the class whose true pixels are no true positives. A
    binary logit counts as two classes. `weight` multiplies the pixels of each class in both sums.
    The sums pool the batch; the authors use `per_image=True`. "none" gives a number, or one per
    image.
    """
    check_smooth(smooth)
    pixels = flatten(logits, target, ignore_index, two=True)
    prob = probabilities(pixels)
    matrix = _matrix(distances, prob.shape[1], prob)
    if not 0 <= background < len(matrix):
        raise ValueError(f"background must be a class in 0..{len(matrix) - 1}, got {background}")
    mass = class_weights(weight, len(matrix), prob)[pixels.target] * pixels.valid
    price = sum(matrix[pixels.target, k] * prob[:, k] for k in range(len(matrix)))
    hits = (matrix[pixels.target, background] * (1 - price) * mass).sum(-1)
    errors = (price * mass).sum(-1)
    if not per_image:
        hits, errors = hits.sum(), errors.sum()
    score = (2 * hits + smooth) / (2 * hits + errors + smooth)
    return reduce_images(1 - score, reduction, pixels)


def _matrix(
    distances: Tensor | Sequence[Sequence[float]] | None, classes: int, like: Tensor
) -> Tensor:
    if distances is None:
        return 1 - torch.eye(classes, dtype=like.dtype, device=like.device)
    matrix = torch.as_tensor(distances, dtype=like.dtype, device=like.device)
    if matrix.shape != (classes, classes):
        raise ValueError(
            f"distances has shape {tuple(matrix.shape)}; give ({classes}, {classes}) numbers"
        )
    if bool((matrix < 0).any()) or bool(matrix.diagonal().any()) or not bool(matrix.any()):
        raise ValueError("distances must be >= 0, zero on the diagonal and not zero elsewhere")
    return matrix / matrix.max()


class WassersteinDiceLoss(LossModule):
    """`wasserstein_dice_loss` as a module."""

    function = staticmethod(wasserstein_dice_loss)
