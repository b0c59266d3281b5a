"""Category consistent loss: the discriminative loss by class, with a pull that grows linearly."""

from typing import NamedTuple

import torch
from torch import Tensor

from embedseg.losses._module import LossModule
from embedseg.losses._pixels import check_tensors, promote


class CategoryTerms(NamedTuple):
    """The loss and its three unweighted terms."""

    total: Tensor
    pull: Tensor
    push: Tensor
    reg: Tensor


def category_consistent_loss(  # noqa: PLR0913 (the keywords of the discriminative loss)
    features: Tensor,
    target: Tensor,
    *,
    ignore_index: int = -1,
    delta_v: float = 0.5,
    delta_d: float = 1.5,
    alpha: float = 1.0,
    beta: float = 1.0,
    gamma: float = 0.001,
    per_image: bool = False,
) -> CategoryTerms:
    """Return the category consistent loss of (B, E, *S) features and a (B, *S) target.

    Formula: pull = mean_c mean_n f(|x_n - mu_c|), push = mean_{c!=d} max(0, 2 dd - |mu_c - mu_d|)^2
    Paper: CCNet, IEEE TPAMI 2020 (arXiv:1811.11721v2)
    When: a semantic head should keep the features of a class together; 16 channels.

    f(d) = 0 up to `delta_v`, (d - dv)^2 up to `delta_d`, beyond it d - dd + (dd - dv)^2: a pixel
    far from its class pulls with force 1, not more. The regulariser is mean_c |mu_c|. All classes
    count, background too. Classes are taken over the batch, as published, or with `per_image` in
    each image. total = alpha pull + beta push + gamma reg.
    """
    if not 0 <= delta_v < delta_d:
        raise ValueError(f"0 <= delta_v < delta_d must hold, got {delta_v} and {delta_d}")
    if not min(alpha, beta, gamma) >= 0:
        raise ValueError(f"alpha, beta and gamma must be >= 0, got {alpha}, {beta} and {gamma}")
    check_tensors(features=features, target=target)
    if features.ndim < 3 or target.shape != features.shape[:1] + features.shape[2:]:
        raise ValueError(
            f"features {tuple(features.shape)} and target {tuple(target.shape)} do not fit; "
            "give features (B, E, *S) and target (B, *S)"
        )
    x = promote(features).flatten(2)
    labels = target.flatten(1)
    if not per_image:
        x, labels = x.transpose(0, 1).flatten(1)[None], labels.reshape(1, -1)
    zero = x.sum() * 0
    parts = [
        _terms(_by_class(pixels, classes, ignore_index), delta_v, delta_d)
        for pixels, classes in zip(x, labels, strict=True)
        if bool((classes != ignore_index).any())
    ]
    pull, push, reg = (
        torch.stack(values).mean() + zero if values else zero
        for values in ([part[term] for part in parts] for term in range(3))
    )
    return CategoryTerms(alpha * pull + beta * push + gamma * reg, pull, push, reg)


def _by_class(pixels: Tensor, classes: Tensor, ignore_index: int) -> list[Tensor]:
    """Return the (E, n_c) columns of the (E, N) pixels for each class that occurs."""
    kept = (classes != ignore_index).nonzero()[:, 0]
    order = classes[kept].argsort()
    counts = torch.unique_consecutive(classes[kept][order], return_counts=True)[1]
    return list(pixels[:, kept[order]].split(counts.tolist(), dim=1))


def _terms(groups: list[Tensor], delta_v: float, delta_d: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return pull, push and regulariser of one set of pixels, given by class."""
    means = torch.stack([group.mean(1) for group in groups])
    pulls = []
    for group, mean in zip(groups, means, strict=True):
        apart = _length(group - mean[:, None], axis=0)
        near = (apart.clamp(max=delta_d) - delta_v).clamp(min=0).square()
        pulls.append((near + (apart - delta_d).clamp(min=0)).mean())
    first, second = torch.triu_indices(len(means), len(means), 1, device=means.device)
    cost = (2 * delta_d - _length(means[first] - means[second])).clamp(min=0).square()
    push = cost.mean() if len(groups) > 1 else means.sum() * 0
    return torch.stack(pulls).mean(), push, _length(means).mean()


def _length(vectors: Tensor, axis: int = -1) -> Tensor:
    """Return the Euclidean length along `axis`, whose gradient at 0 is 0."""
    square = vectors.square().sum(axis)
    return torch.where(square > 0, torch.where(square > 0, square, 1).sqrt(), 0)


class CategoryConsistentLoss(LossModule):
    """`category_consistent_loss` as a module; it returns `CategoryTerms`."""

    function = staticmethod(category_consistent_loss)
