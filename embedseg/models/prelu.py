"""PReLU with one slope, max(x, 0) + a min(x, 0) (He et al., arXiv:1502.01852), quick on a CPU.

PyTorch's CPU gradient of PReLU writes the slope's gradient of every element before it adds them up;
here the sum is taken at once, in float32. Values, parameters and state are those of `nn.PReLU`.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional


class PReLU(nn.PReLU):
    """`nn.PReLU` with one slope for all channels."""

    def __init__(self) -> None:
        super().__init__(1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the same shape."""
        if self.training and x.device.type == "cpu" and not torch.compiler.is_compiling():
            return torch.as_tensor(_Slope.apply(x, self.weight))  # type: ignore[no-untyped-call]
        return super().forward(x)


class _Slope(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, slope: Tensor) -> Tensor:
        ctx.save_for_backward(x, slope)
        return functional.leaky_relu(x, float(slope))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        x, slope = ctx.saved_tensors
        through = torch.ops.aten.leaky_relu_backward(grad, x, float(slope), False)
        wide = torch.promote_types(slope.dtype, torch.float32)
        return through, (grad * x.clamp(max=0)).sum(dtype=wide).reshape(1).to(slope.dtype)
