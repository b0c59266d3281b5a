"""DABNet (Li et al., arXiv:1907.11357): depthwise asymmetric bottlenecks."""

from typing import Literal

import torch
from torch import Tensor, nn

from embedseg.models.backbone import Backbone, Decoder
from embedseg.models.blocks import Layers, initialise, shrink
from embedseg.models.heads import enlarged_head

EPS = 1e-3  # of every norm
STEM, MIDDLE, WIDE = 32, 64, 128  # channels at 1/2, 1/4, 1/8
DILATIONS = ((2, 2, 2), (4, 4, 8, 8, 16, 16))  # of the modules at 1/4, 1/8


def dabnet(*, in_channels: int = 3, norm: Literal["batch", "group"] = "batch") -> "DABNet":
    """Return DABNet: 256 + in_channels maps at 1/8 (756,643 parameters with 19 classes)."""
    return DABNet(in_channels, Layers(2, norm, eps=EPS))


class DABNet(Backbone):
    """Three stages; the shrunken image is appended to each."""

    stride = 8
    divisor = 8
    default_decoder: Decoder = "learned"

    def __init__(self, in_channels: int, layers: Layers) -> None:
        super().__init__()
        self.layers = layers
        self.in_channels, self.out_channels = in_channels, 2 * WIDE + in_channels
        self.stem = nn.Sequential(
            *layers.conv_norm_prelu(in_channels, STEM, stride=2),
            *layers.conv_norm_prelu(STEM, STEM),
            *layers.conv_norm_prelu(STEM, STEM),
        )
        inputs = [STEM + in_channels, 2 * MIDDLE + in_channels]
        widths = [MIDDLE, WIDE]
        self.joins = nn.ModuleList(layers.norm_prelu(i) for i in [*inputs, self.out_channels])
        self.downs = nn.ModuleList(Down(i, w, layers) for i, w in zip(inputs, widths, strict=True))
        self.stages = nn.ModuleList(
            nn.Sequential(*(Asymmetric(w, d, layers) for d in dilations))
            for w, dilations in zip(widths, DILATIONS, strict=True)
        )
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, out_channels, H/8, W/8)."""
        y: Tensor = self.joins[0](torch.cat([self.stem(x), shrink(x, 1)], 1))
        for k, (down, stage) in enumerate(zip(self.downs, self.stages, strict=True)):
            y = down(y)
            y = self.joins[k + 1](torch.cat([stage(y), y, shrink(x, k + 2)], 1))
        return y

    def make_head(self, channels: int) -> nn.Module:
        """Return the 1x1 convolution, enlarged x8."""
        return enlarged_head(self.out_channels, channels, self.stride, self.layers, bias=False)


class Down(nn.Module):
    """Halves the size: strided 3x3 convolution, beside the pooled input if there is room."""

    def __init__(self, inputs: int, outputs: int, layers: Layers) -> None:
        super().__init__()
        self.pools = inputs < outputs
        self.conv = layers.conv(inputs, outputs - inputs if self.pools else outputs, stride=2)
        self.pool = layers.pool()
        self.act = layers.norm_prelu(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return maps of half the size."""
        y: Tensor = self.conv(x)
        y = self.act(torch.cat([y, self.pool(x)], 1) if self.pools else y)
        return y


class Asymmetric(nn.Module):
    """x + 1x1(norm, PReLU of the sum of two depthwise 3x1-1x3 pairs, one of them dilated)."""

    def __init__(self, channels: int, dilation: int, layers: Layers) -> None:
        super().__init__()
        inner = channels // 2
        self.reduce = nn.Sequential(
            layers.norm_prelu(channels), layers.conv_norm_prelu(channels, inner)
        )
        self.pairs = nn.ModuleList(
            nn.Sequential(
                layers.conv_norm_prelu(inner, inner, (3, 1), dilation=d, groups=inner),
                layers.conv_norm_prelu(inner, inner, (1, 3), dilation=d, groups=inner),
            )
            for d in (1, dilation)
        )
        self.expand = nn.Sequential(layers.norm_prelu(inner), layers.conv(inner, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Return the same shape."""
        y: Tensor = self.reduce(x)
        y = x + self.expand(self.pairs[0](y) + self.pairs[1](y))
        return y
