"""PortraitNet (Zhang et al., Computers & Graphics 2019): MobileNetV2 with a light decoder."""

from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from embedseg.models.backbone import Backbone
from embedseg.models.blocks import Layers, initialise
from embedseg.models.fast_scnn import inverted_stages, separable

STEM = 32
# expansion, channels, blocks, stride of MobileNetV2's stages, in groups of one resolution
GROUPS = (
    ((1, 16, 1, 1),),
    ((6, 24, 2, 2),),
    ((6, 32, 3, 2),),
    ((6, 64, 4, 2), (6, 96, 3, 1)),
    ((6, 160, 3, 2), (6, 320, 1, 1)),
)
WIDTHS = (320, 96, 32, 24, 16, 8)  # of the decoder at 1/32, 1/16, ..., 1/1


def portraitnet(
    *, in_channels: int = 3, grouped: bool = False, norm: Literal["batch", "group"] = "batch"
) -> "PortraitNet":
    """Return PortraitNet: 8 maps at full resolution (2,080,760 parameters with two classes).

    `grouped` gives every map a transposed kernel of its own (1,905,400 parameters). The published
    edge head, a second 3x3 convolution, is what the semantic head is here.
    """
    return PortraitNet(in_channels, Layers(2, norm), grouped=grouped)


class PortraitNet(Backbone):
    """Each way up is a residual block and a 4x4 transposed convolution; skips are added."""

    out_channels = WIDTHS[-1]
    stride = 1
    divisor = 32

    def __init__(self, in_channels: int, layers: Layers, *, grouped: bool) -> None:
        super().__init__()
        self.layers = layers
        self.in_channels = in_channels
        self.stem = layers.conv_norm_act(in_channels, STEM, stride=2)
        inputs, stages = STEM, []
        for group in GROUPS:
            stages.append(nn.Sequential(*inverted_stages(inputs, group, layers)))
            inputs = group[-1][1]
        self.stages = nn.ModuleList(stages)
        self.blocks = nn.ModuleList(Residual(i, o, layers) for i, o in pairwise(WIDTHS))
        self.ups = nn.ModuleList(
            layers.up(w, w, 4, padding=1, bias=False, groups=w if grouped else 1)
            for w in WIDTHS[1:]
        )
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, 8, H, W)."""
        x = self.stem(x)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        skips = [maps[3], maps[2], maps[1], None, None]  # none at 1/2 and 1/1
        for block, up, skip in zip(self.blocks, self.ups, skips, strict=True):
            x = up(block(x))
            x = x if skip is None else skip + x
        return x

    def make_head(self, channels: int) -> nn.Module:
        """Return the 3x3 convolution, without bias."""
        head = self.layers.conv(self.out_channels, channels)
        initialise(head, gain=1.0)
        return head


class Residual(nn.Module):
    """ReLU(x + two depthwise separable convolutions); a 1x1 convolution fits x."""

    def __init__(self, inputs: int, outputs: int, layers: Layers) -> None:
        super().__init__()
        self.steps = nn.Sequential(
            *separable(inputs, outputs, layers), *list(separable(outputs, outputs, layers))[:-1]
        )
        self.fit = nn.Sequential(layers.conv(inputs, outputs, 1), layers.norm(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, outputs, H, W)."""
        return torch.relu(self.fit(x) + self.steps(x))
