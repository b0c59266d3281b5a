"""Consistency loss: the prediction of an altered view should be that of the clean one."""

import torch
from torch import Tensor

from embedseg.losses._module import LossModule
from embedseg.losses._pixels import Reduction, promote, reduce_pixels


def consistency_loss(
    logits: Tensor,
    teacher: Tensor,
    *,
    reduction: Reduction = "mean",
    per_image: bool = False,
    valid: Tensor | None = None,
    temperature: float = 1.0,
) -> Tensor:
    """Return PortraitNet's consistency of the (B, K, *S) logits of two views of one picture.

    Formula: T^2 mean_{n,l} q_l (ln q_l - ln p_l), q = softmax(teacher / T), p = softmax(z / T)
    Paper: PortraitNet, Computers & Graphics 80, 2019
    When: few labels, strong colour changes in training; factor 2 in the paper.

    `teacher` are the logits of the clean view, aligned pixel by pixel; no gradient flows through
    them. The mean is over pixels and classes, as published (the two of a binary logit). `valid`
    (B, *S) bool leaves pixels out. "none" gives (B, *S).
    """
    if logits.shape != teacher.shape or logits.ndim < 3:
        raise ValueError(
            f"logits {tuple(logits.shape)} and teacher {tuple(teacher.shape)} must be of one "
            "shape (B, K, *S)"
        )
    if temperature <= 0:
        raise ValueError(f"temperature must be > 0, got {temperature}")
    student_log = _log_probabilities(logits, temperature)
    teacher_log = _log_probabilities(teacher.detach(), temperature)
    values = (teacher_log.exp() * (teacher_log - student_log)).mean(1) * temperature**2
    shape = (len(logits), *logits.shape[2:])
    if valid is None:
        valid = torch.ones(shape, dtype=torch.bool, device=logits.device)
    if valid.shape != shape:
        raise ValueError(f"valid has shape {tuple(valid.shape)}; give {shape}")
    mass = valid.flatten(1).to(values.dtype)
    return reduce_pixels(values, mass, reduction, per_image, shape)


def _log_probabilities(logits: Tensor, temperature: float) -> Tensor:
    """Return (B, K, N) logarithms of probabilities; K = 2 for binary logits."""
    scores = promote(logits).flatten(2) / temperature
    if scores.shape[1] == 1:
        scores = torch.cat([torch.zeros_like(scores), scores], 1)
    return scores.log_softmax(1)


class ConsistencyLoss(LossModule):
    """`consistency_loss` as a module."""

    function = staticmethod(consistency_loss)
