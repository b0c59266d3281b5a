"""Convolutions that stay in float32 on a processor, whatever the mixed precision.

With torch 2.13 (oneDNN) on a CPU, in bfloat16 and channels last,

- a convolution with groups *and* dilation gets a wrong gradient of its weights on maps of about
  40 x 40 and more: values off by their own size, NaN, or a crash of the process; its output and
  the gradient of its input are right, and so is every one without groups or without dilation;
- a depthwise one with a kernel of 1 x 15 may never return.

Both are right in float32, which costs such layers little: they are bound by memory. State and
values are those of `nn.Conv2d`.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

LONG = 9  # longest kernel with groups that is left to mixed precision


def needs_float32(kernel: Sequence[int], groups: int, dilation: int) -> bool:
    """Tell whether a convolution of this form must not be computed in bfloat16 on a processor."""
    return groups > 1 and (dilation > 1 or max(kernel) > LONG)


class Float32Conv2d(nn.Conv2d):
    """`nn.Conv2d` that computes in float32 on a processor and returns the kind of its input.

    Weights of lower precision are widened for it; those of float64 stay as they are.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolved maps."""
        if x.device.type != "cpu":
            return super().forward(x)
        wide = torch.promote_types(self.weight.dtype, torch.float32)
        bias = None if self.bias is None else self.bias.to(wide)
        with torch.autocast("cpu", enabled=False):
            return self._conv_forward(x.to(wide), self.weight.to(wide), bias).to(x.dtype)
