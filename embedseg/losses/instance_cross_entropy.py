"""Cross-entropy in which every instance counts the same, whatever its size."""

import torch
from torch import Tensor

from embedseg.losses._module import LossModule
from embedseg.losses._pixels import ClassWeight, Reduction, check_tensors, flatten, reduce_pixels
from embedseg.losses.cross_entropy import pixel_cross_entropy, pixel_mass


def instance_size_weights(
    instances: Tensor,
    *,
    limit: float | None = None,
    per_image: bool = False,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Return the (B, *S) weights a / |i| of the pixels of each instance i.

    a is the mean size of the instances of the batch (of the image with `per_image`), so that
    foreground pixels weigh 1 on average and the balance with the background, which weighs 1, stays
    as it is. Ids are those of one image; 0 is background and negative ids (ignored) weigh 1 too.
    `limit` caps the weight.
    """
    if limit is not None and limit < 1:
        raise ValueError(f"limit must be >= 1, got {limit}; 1 is the mean weight")
    check_tensors(instances=instances)
    flat = instances.flatten(1).long()
    foreground = flat > 0
    ids = torch.where(foreground, flat, 0)
    if ids.numel() and int(ids.max()) > ids.numel():  # counting needs small numbers
        ids = torch.where(foreground, torch.unique(ids, return_inverse=True)[1] + 1, 0)
    counts = _sizes(ids)
    sizes = counts.gather(1, ids).to(dtype)
    pixels, number = foreground.sum(1, keepdim=True), (counts[:, 1:] > 0).sum(1, keepdim=True)
    if not per_image:
        pixels, number = pixels.sum(), number.sum()
    weights = torch.where(foreground, pixels.to(dtype) / number.clamp(min=1) / sizes, 1)
    if limit is not None:
        weights = torch.where(foreground, weights.clamp(max=limit), 1)
    return weights.reshape(instances.shape)


def _sizes(ids: Tensor) -> Tensor:
    """Return the (B, M) pixels of each id 0..M-1 in each image of (B, N)."""
    width = int(ids.max()) + 1 if ids.numel() else 1
    first = width * torch.arange(len(ids), device=ids.device)[:, None]
    return torch.bincount((ids + first).flatten(), minlength=len(ids) * width).reshape(-1, width)


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
    for `limit`. The mean size is that of the batch, with `per_image` that of each image. Otherwise
    as `cross_entropy_loss`.
    """
    if instances is None:
        raise ValueError("instance_cross_entropy needs instances=(B, *S) labels; got None")
    check_tensors(instances=instances, target=target)
    if instances.shape != target.shape:
        raise ValueError(
            f"instances {tuple(instances.shape)} must have the shape of target "
            f"{tuple(target.shape)}"
        )
    pixels = flatten(logits, target, ignore_index)
    size = instance_size_weights(
        instances, limit=limit, per_image=per_image, dtype=pixels.logits.dtype
    )
    mass = pixel_mass(pixels, weight) * size.flatten(1)
    return reduce_pixels(pixel_cross_entropy(pixels), mass, reduction, per_image, target.shape)


class InstanceCrossEntropyLoss(LossModule):
    """`instance_cross_entropy_loss` as a module."""

    function = staticmethod(instance_cross_entropy_loss)
