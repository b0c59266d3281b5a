"""Batch normalisation folded into the convolution before it: the same function, fewer passes.

    w' = w * g / sqrt(v + eps)        b' = (b - m) * g / sqrt(v + eps) + h

for a convolution (w, b) and the norm's mean m, variance v, slope g and offset h, channel by channel
of the output, which in a transposed convolution is the second axis of w.

torch.compile's own folding (`freezing`, torch 2.13) scales the first axis of a transposed
convolution too, which is the input's: where both have as many channels it computes something else
without a word. So it must find nothing to fold.
"""

from collections import Counter
from copy import deepcopy
from typing import Any, TypeVar

import torch
from torch import nn
from torch.nn.utils import fuse_conv_bn_eval

Network = TypeVar("Network", bound=nn.Module)
Conv = nn.Conv2d | nn.Conv3d | nn.ConvTranspose2d | nn.ConvTranspose3d
TRANSPOSED = nn.ConvTranspose2d | nn.ConvTranspose3d
NORMS = nn.BatchNorm2d | nn.BatchNorm3d


def fold_norms(network: Network) -> Network:
    """Return a copy for inference without the norms that follow a convolution in a Sequential.

    Others stay: only there is it certain that nobody else reads the convolution.
    """
    folded = deepcopy(network).eval()
    uses = Counter(id(part) for _, part in folded.named_modules(remove_duplicate=False))
    for row in folded.modules():
        if isinstance(row, nn.Sequential):
            for index in range(len(row) - 1):
                conv, norm = row[index], row[index + 1]
                if uses[id(conv)] == uses[id(norm)] == 1 and foldable(conv, norm):
                    fuse: Any = fuse_conv_bn_eval
                    with torch.no_grad():
                        row[index] = fuse(conv, norm, isinstance(conv, TRANSPOSED))
                    row[index + 1] = nn.Identity()
    return folded


def foldable(conv: nn.Module, norm: nn.Module) -> bool:
    """Tell whether these are a convolution and a norm of stored statistics, of known axes."""
    if not isinstance(conv, Conv) or not isinstance(norm, NORMS) or norm.running_mean is None:
        return False
    return conv.groups == 1 or not isinstance(conv, TRANSPOSED)
