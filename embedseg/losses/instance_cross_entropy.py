"""Cross-entropy in which every instance counts the same, whatever its size."""

import torch
from torch import Tensor

from embedseg.losses._module import LossModule
from embedseg.losses._pixels import ClassWeight, Reduction, flatten, reduce_pixels
from embedseg.losses.cross_entropy import pixel_cross_entropy, pixel_mass


def instance_size_weights(
    instances: Tensor, *, limit: float | None = None, dtype: torch.dtype = torch.float32
) -> Tensor:
    """Return the (B, *S) weights a / |i| of the pixels of each instance i.

    a is the mean size of the instances of the batch, so that foreground pixels weigh 1 on average
    and the balance with the background, which weighs 1, stays as it is. Ids are those of one image;
    0 is background and negative ids (ignored) weigh 1 too. `limit` caps the weight.
    """
    if limit is not None and limit < 1:
        raise ValueError(f"limit must be >= 1, got {limit}; 1 is the mean weight")
    flat = instances.reshape(len(instances), -1).long()
    foreground = flat > 0
    image = torch.arange(len(flat), device=flat.device)[:, None].expand_as(flat)
    keys = torch.stack([image[foreground], flat[foreground]])
    _, index, sizes = torch.unique(keys, dim=1, return_inverse=True, return_counts=True)
    weights = torch.ones(flat.shape, dtype=dtype, device=flat.device)
    if len(sizes):
        share = sizes.to(dtype).mean() / sizes
        weights[foreground] = share[index].clamp(max=limit or torch.inf)
    return weights.reshape(instances.shape)


def instance_cross_entropy_loss(
    logits: Tensor,
    target: Tensor,
    *,
    ignore_index: int = -1,
    weight: ClassWeight = None,
    reduction: Reduction = "mean",
    per_image: bool = False,
    instances: Tensor | None = None,
    limit: float | None = None,
) -> Tensor:
    """Return the cross-entropy weighted by the inverse size of each pixel's instance.

    Formula: sum_n w(n) CE(n) / sum_n w(n), w = mean size / size of the instance, 1 outside
    Paper: an extension of this project
    When: young leaves or small cells are missed beside large ones.

    `instances` (B, *S) are the instance labels, required; see `instance_size_weights` for them and
    for `limit`. Otherwise as `cross_entropy_loss`.
    """
    if instances is None:
        raise ValueError("instance_cross_entropy needs instances=(B, *S) labels; got None")
    if instances.shape != target.shape:
        raise ValueError(
            f"instances {tuple(instances.shape)} must have the shape of target "
            f"{tuple(target.shape)}"
        )
    pixels = flatten(logits, target, ignore_index)
    size = instance_size_weights(instances, limit=limit, dtype=pixels.logits.dtype)
    mass = pixel_mass(pixels, weight) * size.flatten(1)
    return reduce_pixels(pixel_cross_entropy(pixels), mass, reduction, per_image, target.shape)


class InstanceCrossEntropyLoss(LossModule):
    """`instance_cross_entropy_loss` as a module."""

    function = staticmethod(instance_cross_entropy_loss)
