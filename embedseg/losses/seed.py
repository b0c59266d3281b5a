r"""The seed head: how far a pixel's embedding is from its instance's mean, learned by regression.

The network predicts for each foreground pixel i of instance c the closeness

    t_i = exp(-|x_i - mu_c|^2 / (2 delta_v^2))          1 at the mean, 0.61 at delta_v

of its own embedding to the instance's mean. Where it is small (on borders between instances, in
thin places) the embedding is not to be trusted, and the pixel should not found a cluster. It is the
idea of the seed map of Neven et al. (arXiv:1906.11109) with the fixed bandwidth delta_v.
"""

import torch
from torch import Tensor

from embedseg.losses._pixels import promote
from embedseg.losses.discriminative import use_fused
from embedseg.losses.instance_sums import (
    Instances,
    Keys,
    count_pixels,
    find_instances,
    means_and_own,
    number_pixels,
    pixel_slots,
)


def seed_loss(seed: Tensor, embedding: Tensor, labels: Tensor, *, delta_v: float = 0.5) -> Tensor:
    """Return the mean of (sigmoid(seed_i) - t_i)^2 over the pixels of instances.

    `seed` (B, 1, *S) logits, `embedding` (B, E, *S), `labels` (B, *S). The target t is a constant:
    no gradient reaches the embedding. The value is the mean over images that have an instance of
    the mean over instances of the mean over pixels, so that small instances count; without any it
    is 0, attached to the graph.
    """
    if delta_v <= 0:
        raise ValueError(f"delta_v must be > 0, got {delta_v}; it is the loss's pull margin")
    x = promote(embedding.detach())
    keys = number_pixels(labels, None, False)
    measure = _measure_fused if use_fused("auto", x, "euclidean") else _measure
    squared, shares = measure(x, keys)
    guess = torch.sigmoid(seed.to(x.dtype).flatten(1))
    return (shares * (guess - torch.exp(squared / (-2 * delta_v**2))).square()).sum()


def _measure_fused(x: Tensor, keys: Keys) -> tuple[Tensor, Tensor]:
    """Return `_measure` from the kernels of the discriminative loss."""
    from embedseg.losses import discriminative_fused as fused  # numba takes its time to import

    found, instances, places = fused.instances_of(x, keys, 1)
    return fused.distances(x, found, places, _weights(instances, x.dtype))


def _measure(x: Tensor, keys: Keys) -> tuple[Tensor, Tensor]:
    """Return each pixel's squared distance (B, N) to its instance's mean, and its weight.

    The pixels of no instance have weight 0.
    """
    x = x.flatten(2)
    instances = find_instances(keys, count_pixels(keys))
    slot = pixel_slots(keys, instances)
    _, own, _ = means_and_own(x, slot, instances)
    squared = (x - own).square().sum(1)
    weights = x.new_zeros(len(x), instances.width + 1)
    weights[instances.image, instances.rank] = _weights(instances, x.dtype)
    return squared, weights.gather(1, slot)


def _weights(instances: Instances, kind: torch.dtype) -> Tensor:
    """Return the weight (C,) of a pixel of each instance in the mean of means."""
    number = torch.bincount(instances.image)
    images = (number > 0).sum()
    return 1 / (instances.size * number[instances.image] * images).to(kind)
