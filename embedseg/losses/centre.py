r"""The centre head: whether an object has its centre at a pixel (arXiv:1904.07850, eq. 1).

With the target t of `embedseg.data.centres` (1 at each of an image's n centres), p = sigmoid(z)
and z the logits:

    L = -1/n sum_i   (1 - p_i)^2 log p_i                    where t_i = 1
                     (1 - t_i)^4 p_i^2 log(1 - p_i)         elsewhere

a focal loss that forgives near a centre what it punishes far from one.
"""

import torch
from torch import Tensor
from torch.nn import functional

from embedseg.losses._pixels import promote


def centre_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Return the mean of L over images: `logits` z (B, 1, *S), `target` t (B, *S) in [0, 1].

    Pixels whose target is below 0 take no part. n is at least 1: an image without an object has
    the sum of its misses.
    """
    z = promote(logits).flatten(1)
    p, t = torch.sigmoid(z), target.flatten(1).to(z.dtype)
    hit = (1 - p).square() * functional.logsigmoid(z)
    miss = (1 - t).pow(4) * p.square() * functional.logsigmoid(-z)
    terms = torch.where(t >= 1, hit, miss) * (t >= 0)
    return -(terms.sum(1) / (t >= 1).sum(1).clamp_min(1)).mean()
