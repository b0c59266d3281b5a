"""V-Net (Milletari, Navab, Ahmadi, arXiv:1606.04797), in the layout of NiftyNet."""

from typing import Literal

import torch
from torch import Tensor, nn

from embedseg.models.backbone import Backbone
from embedseg.models.blocks import Layers, initialise
from embedseg.models.heads import pointwise_head

KERNEL = 5
DOWN = ((1, 1), (2, 2), (4, 3), (8, 3))  # channels in units of `width`, convolutions
BOTTOM = (16, 3)
UP = ((16, 8, 3), (8, 4, 3), (4, 2, 2))  # channels, channels after enlarging, convolutions
LAST = (2, 1)


def vnet(
    *,
    in_channels: int = 3,
    width: int = 16,
    norm: Literal["none", "batch", "group"] = "batch",
    ndim: int = 2,
) -> "VNet":
    """Return V-Net: 2 * width maps at full resolution, in two or three dimensions.

    5^n kernels, residual sums, strided 2^n convolutions, PReLU. The published network has no norms
    (norm="none"); the counts in our tests are our own.
    """
    if width < 1:
        raise ValueError(f"width must be >= 1, got {width}; the paper has 16")
    return VNet(in_channels, width, Layers(ndim, norm))


class VNet(Backbone):
    """Each level adds its input to its convolutions; the way up appends the way down."""

    stride = 1
    divisor = 16

    def __init__(self, in_channels: int, width: int, layers: Layers) -> None:
        super().__init__()
        self.layers, self.ndim = layers, layers.ndim
        self.in_channels, self.width = in_channels, width
        self.out_channels = LAST[0] * width
        self.levels, self.shrink = nn.ModuleList(), nn.ModuleList()
        inputs = in_channels
        for units, count in DOWN:
            outputs = units * width
            self.levels.append(_convolutions(inputs, outputs, count, layers))
            down = layers.conv(outputs, 2 * outputs, 2, stride=2, padding=0, bias=True)
            self.shrink.append(_act(down, 2 * outputs, layers))
            inputs = 2 * outputs
        self.bottom = _convolutions(inputs, BOTTOM[0] * width, BOTTOM[1], layers)
        self.grow = nn.ModuleList([_grow(BOTTOM[0] * width, BOTTOM[0] * width, layers)])
        self.merge = nn.ModuleList()
        for (units, after, count), (skip, _) in zip(UP, DOWN[:0:-1], strict=True):
            outputs = units * width
            self.merge.append(_convolutions(outputs + skip * width, outputs, count, layers))
            self.grow.append(_grow(outputs, after * width, layers))
        skip = DOWN[0][0] * width
        self.merge.append(_convolutions(self.out_channels + skip, self.out_channels, 1, layers))
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, 2 width, *S)."""
        repeats = -(-self.width // x.shape[1])
        around = x.repeat(1, repeats, *[1] * self.ndim)[:, : self.width]
        skips: list[Tensor] = []
        for level, shrink in zip(self.levels, self.shrink, strict=True):
            skips.append(around + level(x))
            x = around = shrink(skips[-1])
        x = self.grow[0](x + self.bottom(x))
        for k, (merge, skip) in enumerate(zip(self.merge, skips[::-1], strict=True), 1):
            x = x + merge(torch.cat([x, skip], 1))
            x = self.grow[k](x) if k < len(self.grow) else x
        return torch.relu(x)

    def make_head(self, channels: int) -> nn.Module:
        """Return the 1x1 convolution."""
        return pointwise_head(self.out_channels, channels, self.layers)


def _convolutions(inputs: int, outputs: int, count: int, layers: Layers) -> nn.Sequential:
    """Return `count` convolutions, norms, and PReLU between them."""
    steps: list[nn.Module] = []
    for k in range(count):
        conv = layers.conv(inputs if k == 0 else outputs, outputs, KERNEL, bias=True)
        steps += [nn.PReLU(outputs)] if k else []
        steps += [conv, layers.norm(outputs)]
    return nn.Sequential(*steps)


def _grow(inputs: int, outputs: int, layers: Layers) -> nn.Sequential:
    return _act(layers.up(inputs, outputs), outputs, layers)


def _act(layer: nn.Module, channels: int, layers: Layers) -> nn.Sequential:
    return nn.Sequential(layer, layers.norm(channels), nn.PReLU(channels))
