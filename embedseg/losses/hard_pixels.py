"""Cross-entropy of the hard pixels alone: OHEM by a probability threshold, top-k by a fraction."""

import torch
from torch import Tensor

from embedseg.losses._module import LossModule
from embedseg.losses._pixels import ClassWeight, Reduction, flatten, reduce_pixels
from embedseg.losses.cross_entropy import pixel_cross_entropy, pixel_mass


def ohem_loss(
    logits: Tensor,
    target: Tensor,
    *,
    ignore_index: int = -1,
    weight: ClassWeight = None,
    reduction: Reduction = "mean",
    per_image: bool = False,
    threshold: float = 0.7,
    min_kept: int = 100_000,
) -> Tensor:
    """Return the cross-entropy over the pixels whose true class has a low probability.

    Formula: mean of CE over {n: p_y(n) <= max(t, the min_kept-th smallest p_y)}
    Paper: arXiv:1604.03540; on pixels as in CCNet (arXiv:1811.11721) and GALD
    When: most pixels are easy; set min_kept to about a tenth of the pixels of a batch.

    At least `min_kept` valid pixels of the batch stay (of each image with `per_image`), all of them
    if there are fewer. Otherwise as `cross_entropy_loss`.
    """
    if not 0 < threshold <= 1 or min_kept < 1:
        raise ValueError(
            f"threshold must lie in (0, 1] and min_kept be >= 1, got {threshold} and {min_kept}"
        )
    pixels = flatten(logits, target, ignore_index)
    values = pixel_cross_entropy(pixels)
    # p <= max(t, p_k) is CE >= min(-ln t, CE_k): no exponential, no loss of precision
    level = -torch.log(values.new_tensor(threshold))
    mass = pixel_mass(pixels, weight)
    parts = zip(_parts(values, per_image), _parts(pixels.valid, per_image), strict=True)
    cuts = [torch.minimum(level, _kth_largest(v.detach(), ok, min_kept)) for v, ok in parts]
    kept = values.detach() >= torch.stack(cuts)[:, None]
    return reduce_pixels(values, mass * kept, reduction, per_image, target.shape)


def topk_loss(
    logits: Tensor,
    target: Tensor,
    *,
    ignore_index: int = -1,
    weight: ClassWeight = None,
    reduction: Reduction = "mean",
    per_image: bool = False,
    fraction: float = 0.1,
) -> Tensor:
    """Return the cross-entropy over the given fraction of pixels with the largest one.

    Formula: mean of CE over the k = ceil(f n) pixels with the largest CE
    Paper: arXiv:1605.06885
    When: as OHEM, with a fixed share; f = 0.1 is usual.

    The n pixels are the valid ones of the batch (of each image with `per_image`); ties at the
    limit are all kept. Otherwise as `cross_entropy_loss`.
    """
    if not 0 < fraction <= 1:
        raise ValueError(f"fraction must lie in (0, 1], got {fraction}")
    pixels = flatten(logits, target, ignore_index)
    values = pixel_cross_entropy(pixels)
    mass = pixel_mass(pixels, weight)
    cuts = []
    for part, valid in zip(_parts(values, per_image), _parts(pixels.valid, per_image), strict=True):
        count = -int(-fraction * int(valid.sum()) // 1)
        cuts.append(_kth_largest(part.detach(), valid, count))
    kept = values.detach() >= torch.stack(cuts)[:, None]
    return reduce_pixels(values, mass * kept, reduction, per_image, target.shape)


def _parts(values: Tensor, per_image: bool) -> list[Tensor]:
    """Return the images of (B, N) values, or all of them as one part; never nothing."""
    return list(values) if per_image and len(values) else [values.flatten()]


def _kth_largest(values: Tensor, valid: Tensor, count: int) -> Tensor:
    """Return the `count`-th largest of the valid values, the smallest if there are fewer."""
    chosen = values[valid]
    if not chosen.numel():
        return values.new_zeros(())
    return chosen.kthvalue(max(1, chosen.numel() - max(count, 1) + 1)).values


class OHEMLoss(LossModule):
    """`ohem_loss` as a module."""

    function = staticmethod(ohem_loss)


class TopKLoss(LossModule):
    """`topk_loss` as a module."""

    function = staticmethod(topk_loss)
