"""The discriminative loss for instance segmentation by pixel embeddings.

B. De Brabandere, D. Neven, L. Van Gool, "Semantic Instance Segmentation with a Discriminative Loss
Function", arXiv:1708.02551. See `discriminative_loss` for the equations.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from embedseg.losses._pixels import check_tensors, promote
from embedseg.losses.discriminative_options import (
    Backend,
    Distance,
    Hinge,
    Norm,
    Normalization,
    check_options,
    named,
    push_margin,
)
from embedseg.losses.instance_sums import (
    INTEGERS,
    Instances,
    Keys,
    count_pixels,
    find_instances,
    mean_of_groups,
    means_and_own,
    neighbours,
    number_pixels,
    pairs_within_groups,
    pixel_slots,
    sum_by_group,
    sum_by_slot,
)

_COINCIDE = 128  # rounding steps: two means nearer than this, relative to their size, coincide


class DiscriminativeTerms(NamedTuple):
    """The loss and its three unweighted terms; every one is a scalar attached to the graph."""

    total: Tensor
    pull: Tensor
    push: Tensor
    reg: Tensor


def discriminative_loss(  # noqa: PLR0913  (named variants of one published loss)
    embedding: Tensor,
    labels: Tensor,
    *,
    delta_v: float = 0.5,
    delta_d: float = 1.5,
    alpha: float = 1.0,
    beta: float = 1.0,
    gamma: float = 0.001,
    semantic: Tensor | None = None,
    hinge: Hinge = "paper",
    normalization: Normalization = "paper",
    norm: Norm = "l2",
    distance: Distance = "euclidean",
    background_as_instance: bool = False,
    push_neighbours: float | None = None,
    size_weighting: float = 0.0,
    backend: Backend = "auto",
) -> DiscriminativeTerms:
    r"""Pull the embeddings of an instance together, push the means of instances apart.

    Formula: a mean_c mean_n [|x_n-m_c|-dv]+^2 + b mean_{c!=d} [2dd-|m_c-m_d|]+^2 + g mean_c |m_c|
    Paper: arXiv:1708.02551
    When: always on the embedding head; the other losses act on the foreground head.

    For the C instances of an image, N_c pixels x_i each, mu_c their mean, [z]+ = max(0, z):

        pull  = 1/C         sum_c 1/N_c sum_i   [ |mu_c - x_i| - delta_v ]+^2
        push  = 1/(C(C-1))  sum over A != B     [ 2 delta_d - |mu_A - mu_B| ]+^2
        reg   = 1/C         sum_c |mu_c|
        total = alpha pull + beta push + gamma reg

    `embedding` is (B, E, *S) with any number of spatial dimensions, `labels` (B, *S) integer: 0 is
    background, negative (IGNORE) takes no part, ids >= 1 are instances and may have gaps. The
    batch's value is the mean over images that have an instance; without any it is 0, attached to
    the graph. With one instance push is 0. Half precision is summed in float32, also in autocast.

    Where x_i = mu_c or mu = 0 the norm has gradient 0. Where two means coincide (to rounding) the
    push of the formula has no gradient, so a collapsed embedding would never part: there the
    distance gets the gradient of a fixed unit vector that depends on the two instances' rank by id.

    Options that differ from the paper:

    - `semantic` (B, *S) integer classes: the loss is evaluated per class and averaged over the
      classes of an image that have an instance; instances of different classes do not push each
      other. An instance is the pixels of one class and one id. Class <= 0 takes no part.
    - `hinge="lanenet"`: push hinges at delta_d instead of 2 delta_d (arXiv:1802.05591).
    - `normalization="released"`: the authors' released code: pull summed over instances, push over
      unordered pairs divided by C - 1, instances of one pixel left out, no reg (gamma must be 0).
    - `norm="l1"`: L1 norm in all terms.
    - `distance="cosine"`: 1 - cos(a, b) instead of |a - b| in pull and push; at most 2, so the
      push margin must not be more. A vector 0 has distance 1 to all.
    - `background_as_instance`: label 0 is one more instance.
    - `push_neighbours`: push only instances of which two pixel centres are at most so many pixels
      apart (arXiv:2004.09821); the divisor C(C-1) becomes the number of such ordered pairs.
    - `size_weighting` p: weights proportional to N_c^p in the mean over instances of pull; 0 gives
      all instances the same weight, 1 all pixels, negative p favours small instances.

    `backend` "auto" takes the fused kernels ("numba") for float32 or half embeddings on the CPU
    with distance="euclidean", and "torch" otherwise; both give the same to rounding. Within
    torch.compile and the transforms of torch.func it is always "torch".
    """
    numbers = named(delta_v, delta_d, alpha, beta, gamma, size_weighting)
    check_options(numbers, hinge, normalization, norm, distance, push_neighbours, backend)
    margin = push_margin(delta_d, hinge)
    _check_inputs(embedding, labels, semantic, background_as_instance)
    released = normalization == "released"
    with torch.autocast(embedding.device.type, enabled=False):
        keys = number_pixels(labels, semantic, background_as_instance)
        x = promote(embedding)
        measure = _measure_fused if use_fused(backend, x, distance) else _measure
        instances, means, spread = measure(x, keys, 2 if released else 1, delta_v, norm, distance)
        near = None
        if push_neighbours is not None:
            slot = pixel_slots(keys, instances).view(labels.shape)
            near = neighbours(slot, instances.width, push_neighbours)
        pull = _pull(spread, instances, size_weighting, released)
        push = _push(means, instances, near, margin, norm, distance, released)
        reg = _reg(means, instances, norm, released)
        return DiscriminativeTerms(alpha * pull + beta * push + gamma * reg, pull, push, reg)


class DiscriminativeLoss(nn.Module):
    """`discriminative_loss` with its options stored."""

    def __init__(  # noqa: PLR0913  (the function's own options)
        self,
        *,
        delta_v: float = 0.5,
        delta_d: float = 1.5,
        alpha: float = 1.0,
        beta: float = 1.0,
        gamma: float = 0.001,
        hinge: Hinge = "paper",
        normalization: Normalization = "paper",
        norm: Norm = "l2",
        distance: Distance = "euclidean",
        background_as_instance: bool = False,
        push_neighbours: float | None = None,
        size_weighting: float = 0.0,
        backend: Backend = "auto",
    ) -> None:
        super().__init__()
        numbers = named(delta_v, delta_d, alpha, beta, gamma, size_weighting)
        check_options(numbers, hinge, normalization, norm, distance, push_neighbours, backend)
        self.options: dict[str, Any] = {
            **numbers,
            "hinge": hinge,
            "normalization": normalization,
            "norm": norm,
            "distance": distance,
            "background_as_instance": background_as_instance,
            "push_neighbours": push_neighbours,
            "backend": backend,
        }

    def forward(
        self, embedding: Tensor, labels: Tensor, semantic: Tensor | None = None
    ) -> DiscriminativeTerms:
        """Return the terms of `discriminative_loss`."""
        return discriminative_loss(embedding, labels, semantic=semantic, **self.options)

    def extra_repr(self) -> str:
        """Show the options."""
        return ", ".join(f"{name}={value!r}" for name, value in self.options.items())


def _measure(
    x: Tensor, keys: Keys, min_size: int, delta_v: float, norm: Norm, distance: Distance
) -> tuple[Instances, Tensor, Tensor]:
    """Find the instances, their means (C, E) and mean hinged squared distances to them (C,)."""
    instances = find_instances(keys, count_pixels(keys), min_size)
    return instances, *_means_and_spread(x, keys, instances, delta_v, norm, distance)


def _measure_fused(
    x: Tensor, keys: Keys, min_size: int, delta_v: float, norm: Norm, distance: Distance
) -> tuple[Instances, Tensor, Tensor]:
    """Do the same on a CPU without another tensor of the embedding's size."""
    from embedseg.losses import discriminative_fused as fused  # numba takes its time to import

    found, instances, places = fused.instances_of(x, keys, min_size)

    def reference(x: Tensor) -> tuple[Tensor, Tensor]:
        return _means_and_spread(x, keys, instances, delta_v, norm, distance)

    return instances, *fused.MeansAndSpread.apply(
        x, found, places, delta_v, norm == "l1", reference
    )


def use_fused(backend: Backend, x: Tensor, distance: Distance) -> bool:
    """Whether the fused kernels can do it; raise if they are demanded and cannot."""
    able = x.device.type == "cpu" and x.dtype == torch.float32 and distance == "euclidean"
    if backend == "numba" and not able:
        raise ValueError(
            f"backend='numba' needs a float32 embedding on the CPU and distance='euclidean', got "
            f"{x.dtype} on {x.device} and distance={distance!r}; use backend='auto'"
        )
    able = able and backend != "torch" and x.numel() > 0
    return able and not torch.compiler.is_compiling() and not _transformed(x)


def _transformed(x: Tensor) -> bool:
    """Whether `x` is the tensor without memory that torch.func hands to what it transforms."""
    probe = getattr(torch._C, "_functorch", None)
    return probe is not None and bool(probe.is_functorch_wrapped_tensor(x))


def _means_and_spread(
    x: Tensor, keys: Keys, instances: Instances, delta_v: float, norm: Norm, distance: Distance
) -> tuple[Tensor, Tensor]:
    """Means (C, E) and the mean hinged squared distances of their pixels (C,), by torch."""
    x = x.flatten(2)
    means, own, (slots, blocks) = means_and_own(x, pixel_slots(keys, instances), instances)
    apart = _distance(x, own, norm, distance)
    hinged = (apart - delta_v).clamp(min=0).square()[:, None]
    sums = sum_by_slot(hinged, slots, blocks, instances.width)
    return means, sums[instances.image, 0, instances.rank] / instances.size.to(x.dtype)


def _pull(spread: Tensor, instances: Instances, power: float, released: bool) -> Tensor:
    """Return the pull term from the instances' spread (C,); `power` weighs instances by size."""
    weight = instances.size.to(spread.dtype) ** power
    groups = sum_by_group(weight * spread, instances) / sum_by_group(weight, instances)
    if released:
        groups = groups * _members(spread, instances)
    return mean_of_groups(groups, instances)


def _push(
    means: Tensor,
    instances: Instances,
    near: Tensor | None,
    margin: float,
    norm: Norm,
    distance: Distance,
    released: bool,
) -> Tensor:
    """Return the push term over all pairs of a group, or those that `near` (B, L, L) marks."""
    first, second = pairs_within_groups(instances)
    if near is not None:
        rank = instances.rank
        keep = near[instances.image[first], rank[first], rank[second]]
        first, second = first[keep], second[keep]
    apart = _distance_of_means(means, instances.rank, first, second, norm, distance)
    cost = (margin - apart).clamp(min=0).square()
    none = torch.zeros_like(means[:, 0])  # sum over partners first: fewer terms, less rounding
    costs = sum_by_group(none.index_add(0, first, cost), instances)
    pairs = sum_by_group(none.index_add(0, first, torch.ones_like(cost)), instances)
    divisor = _members(means, instances) - 1 if released else pairs
    return mean_of_groups(costs / divisor.clamp(min=1), instances)


def _reg(means: Tensor, instances: Instances, norm: Norm, released: bool) -> Tensor:
    """Return the regulariser: the mean length of the means; 0 in the released code."""
    groups = sum_by_group(_length(means, norm), instances) / _members(means, instances)
    return mean_of_groups(groups, instances) * (0 if released else 1)


def _members(like: Tensor, instances: Instances) -> Tensor:
    """Count the instances (G,) of every group, in the dtype of `like`."""
    return sum_by_group(torch.ones_like(instances.size, dtype=like.dtype), instances)


def _distance_of_means(
    means: Tensor, rank: Tensor, first: Tensor, second: Tensor, norm: Norm, distance: Distance
) -> Tensor:
    """Distances (P,) of pairs of means; where two coincide the gradient is a fixed unit vector."""
    a, b = means[first].T[None], means[second].T[None]
    apart = _distance(a, b, norm, distance)[0]
    difference = (a - b)[0]
    limit = _COINCIDE * torch.finfo(means.dtype).eps
    same = difference.abs().amax(0) <= limit * torch.maximum(a, b)[0].abs().amax(0)
    step = torch.arange(1, means.shape[1] + 1, device=means.device, dtype=means.dtype)[:, None]
    unit = torch.sin(step * (rank[first] + 1)) - torch.sin(step * (rank[second] + 1))
    unit = unit / torch.linalg.vector_norm(unit, dim=0)
    along = (difference * unit).sum(0)
    return torch.where(same, apart.detach() + along - along.detach(), apart)


def _distance(a: Tensor, b: Tensor, norm: Norm, distance: Distance) -> Tensor:
    """Distance (B, N) over the channels of `a` and `b` (B, E, N)."""
    if distance == "euclidean":
        return _length(a - b, norm)
    return 1 - (_unit(a) * _unit(b)).sum(1)


def _length(vector: Tensor, norm: Norm) -> Tensor:
    """Norm over dimension 1 whose gradient at 0 is 0, not NaN."""
    if norm == "l1":
        return vector.abs().sum(1)
    square = vector.square().sum(1)
    inside = square != 0  # NaN too is not 0
    return torch.where(inside, torch.where(inside, square, 1).sqrt(), 0)


def _unit(vector: Tensor) -> Tensor:
    """`vector` (B, E, N) scaled to length 1 over E; 0 stays 0."""
    length = _length(vector, "l2")[:, None]
    return vector / torch.where(length > 0, length, 1)


def _check_inputs(
    embedding: Tensor, labels: Tensor, semantic: Tensor | None, background: bool
) -> None:
    """Refuse tensors of the wrong kind, and classes together with background as an instance."""
    check_tensors(embedding=embedding)
    if embedding.ndim < 3 or not embedding.shape[1] or not embedding.is_floating_point():
        raise ValueError(
            f"embedding must be a floating (B, E, *S) tensor with E >= 1, got "
            f"{tuple(embedding.shape)} {embedding.dtype}"
        )
    if semantic is not None and background:
        raise ValueError(
            "background_as_instance=True needs one class for the background, but semantic is "
            "given; pass one of the two"
        )
    expected = (embedding.shape[0], *embedding.shape[2:])
    for name, value in (("labels", labels), ("semantic", semantic)):
        if value is None:
            continue
        check_tensors(**{name: value})
        if tuple(value.shape) != expected or value.device != embedding.device:
            raise ValueError(
                f"{name} must have shape {expected} on {embedding.device}, got "
                f"{tuple(value.shape)} on {value.device}; resize or move it"
            )
        if value.dtype not in INTEGERS:
            raise ValueError(
                f"{name} must be integer, of 64 bits signed at most, got {value.dtype}; convert "
                "with .long()"
            )
