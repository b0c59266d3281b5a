"""Transposed convolutions whose bias gets its gradient from a sum of its own.

With torch 2.13 (oneDNN) on a CPU, the backward pass of a transposed convolution with a bias takes
2 to 4 times as long as without: from 22 to 16 channels at 3 x 208 x 208 pixels, bfloat16, channels
last, it is 34 ms of one core against 8, and the sum that is missing takes half a millisecond. So
the convolution is given a bias that asks for no gradient, and the sum is taken here. State and
values are those of `nn.ConvTranspose2d` and `nn.ConvTranspose3d`.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class ConvTranspose2d(nn.ConvTranspose2d):
    """`nn.ConvTranspose2d` with a faster backward pass on a processor."""

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Return the enlarged maps."""
        if output_size is None and splits_bias(self, x):
            return with_split_bias(self, x, functional.conv_transpose2d)
        return super().forward(x, output_size)


class ConvTranspose3d(nn.ConvTranspose3d):
    """`nn.ConvTranspose3d` with a faster backward pass on a processor."""

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Return the enlarged maps."""
        if output_size is None and splits_bias(self, x):
            return with_split_bias(self, x, functional.conv_transpose3d)
        return super().forward(x, output_size)


class BiasGradient(torch.autograd.Function):
    """Return x (B, C, *S), to which `bias` (C,) has been added before, with the bias's gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, bias: Tensor) -> Tensor:
        """Return `x` itself, marked as written: as a view it could not be changed in place."""
        ctx.kind = bias.dtype
        ctx.mark_dirty(x)
        return x

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor]:
        """Return the gradient of `x` as it is, and its sum over all but the channels."""
        (grad,) = grads
        return grad, grad.sum([0, *range(2, grad.ndim)], dtype=ctx.kind)


def splits_bias(layer: nn.Module, x: Tensor) -> bool:
    """Tell whether the bias of `layer` is to get its gradient here."""
    bias = layer.bias
    learns = isinstance(bias, Tensor) and bias.requires_grad and torch.is_grad_enabled()
    recording = torch.compiler.is_compiling() or bool(torch._C._get_tracing_state())
    return learns and x.device.type == "cpu" and not recording


def with_split_bias(layer: Any, x: Tensor, convolve: Callable[..., Tensor]) -> Tensor:
    """Return what `layer` returns for `x`; only the way of the bias's gradient is another."""
    attach: Any = BiasGradient.apply
    y = convolve(
        x,
        layer.weight,
        layer.bias.detach(),
        layer.stride,
        layer.padding,
        layer.output_padding,
        layer.groups,
        layer.dilation,
    )
    enlarged: Tensor = attach(y, layer.bias)
    return enlarged
