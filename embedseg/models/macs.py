"""Counting the multiply-accumulate operations of one forward pass."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

CONVOLUTIONS = (nn.Conv2d, nn.Conv3d)
TRANSPOSED = (nn.ConvTranspose2d, nn.ConvTranspose3d)


def count_macs(call: Callable[..., Any], modules: nn.Module, *inputs: Tensor) -> int:
    """Return the MACs of `call(*inputs)` in the convolutions and linear layers of `modules`.

    A convolution or linear layer costs numel(output) times the weights that one output value
    reads; a transposed convolution numel(input) times the weights that one input value reaches.
    Biases, norms, activations, interpolation and attention products are not counted, as is the
    custom. Works on meta tensors, which cost neither time nor memory.
    """
    counts: list[int] = []

    def count(layer: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> None:
        weight = layer.weight
        if isinstance(weight, Tensor):
            counted = given[0] if isinstance(layer, TRANSPOSED) else output
            counts.append(counted.numel() * math.prod(weight.shape[1:]))

    kinds = (*CONVOLUTIONS, *TRANSPOSED, nn.Linear)
    handles = [m.register_forward_hook(count) for m in modules.modules() if isinstance(m, kinds)]
    try:
        with torch.no_grad():
            call(*inputs)
    finally:
        for handle in handles:
            handle.remove()
    return sum(counts)
