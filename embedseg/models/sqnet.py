"""SQNet (Treml et al., "Speeding up semantic segmentation for autonomous driving", 2016)."""

from typing import Literal

import torch
from torch import Tensor, nn

from embedseg.models.backbone import Backbone
from embedseg.models.blocks import Layers, initialise
from embedseg.models.heads import published_up

FIRST = 96  # channels at 1/2
# squeezed and expanded channels (twice: 1x1 and 3x3) of the fire modules at 1/4, 1/8, 1/16
FIRES = (((16, 64), (16, 64)), ((32, 128), (32, 128)), ((64, 256), (64, 256), (64, 256)))
DILATIONS = (1, 2, 3, 4)


def sqnet(
    *, in_channels: int = 3, norm: Literal["none", "batch", "group"] = "none", width: float = 1.0
) -> "SQNet":
    """Return SQNet: 192 maps at half resolution (16,262,771 parameters with 19 classes).

    The published network has no norms; "batch" or "group" sets one behind every convolution.
    `width` scales all channels.
    """
    if width <= 0:
        raise ValueError(f"width must be > 0, got {width}")
    return SQNet(in_channels, width, Layers(2, norm))


class SQNet(Backbone):
    """SqueezeNet's fire modules with ELU, parallel dilated convolutions, refined skips."""

    stride = 2
    divisor = 16

    def __init__(self, in_channels: int, width: float, layers: Layers) -> None:
        super().__init__()
        self.layers = layers
        first = _scaled(FIRST, width)
        self.in_channels, self.out_channels = in_channels, 2 * first
        self.first = _conv(in_channels, first, layers, stride=2)
        self.pool = layers.pool()
        inputs, levels, fires = first, [first], []
        for level in FIRES:
            blocks = []
            for squeeze, expand in level:
                blocks.append(Fire(inputs, _scaled(squeeze, width), _scaled(expand, width), layers))
                inputs = 2 * _scaled(expand, width)
            fires.append(nn.Sequential(*blocks))
            levels.append(inputs)
        self.fires = nn.ModuleList(fires)
        self.context = nn.ModuleList(_conv(inputs, inputs, layers, dilation=d) for d in DILATIONS)
        self.up, self.refine, self.merge = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for skip in levels[-2::-1]:
            up = layers.up(inputs, skip, 3, padding=1, output_padding=1)
            self.up.append(nn.Sequential(up, layers.norm(skip), nn.ELU(inplace=True)))
            self.refine.append(_conv(skip, skip, layers))
            self.merge.append(_conv(2 * skip, 2 * skip, layers))
            inputs = 2 * skip
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, out_channels, H/2, W/2)."""
        maps = [self.first(x)]
        for fire in self.fires:
            maps.append(fire(self.pool(maps[-1])))
        x = torch.stack([branch(maps[-1]) for branch in self.context]).sum(0)
        steps = zip(self.up, self.refine, self.merge, maps[-2::-1], strict=True)
        for up, refine, merge, skip in steps:
            x = merge(torch.cat([refine(skip), up(x)], 1))
        return x

    def make_head(self, channels: int) -> nn.Module:
        """Return the 3x3 transposed convolution to full resolution."""
        return published_up(self.out_channels, channels, self.layers, bias=True)


class Fire(nn.Module):
    """A 1x1 convolution that squeezes, then 1x1 and 3x3 ones side by side that expand."""

    def __init__(self, inputs: int, squeeze: int, expand: int, layers: Layers) -> None:
        super().__init__()
        self.squeeze = _conv(inputs, squeeze, layers, kernel=1)
        self.narrow = _conv(squeeze, expand, layers, kernel=1)
        self.wide = _conv(squeeze, expand, layers)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, 2 expand, *S)."""
        x = self.squeeze(x)
        return torch.cat([self.narrow(x), self.wide(x)], 1)


def _conv(
    inputs: int,
    outputs: int,
    layers: Layers,
    *,
    kernel: int = 3,
    stride: int = 1,
    dilation: int = 1,
) -> nn.Sequential:
    conv = layers.conv(inputs, outputs, kernel, stride=stride, dilation=dilation, bias=True)
    return nn.Sequential(conv, layers.norm(outputs), nn.ELU(inplace=True))


def _scaled(channels: int, width: float) -> int:
    return max(1, round(channels * width))
