"""FPENet (Liu, Yin, arXiv:1909.08599): feature pyramid encoding."""

from typing import Literal

import torch
from torch import Tensor, nn

from embedseg.models.backbone import Backbone, Decoder
from embedseg.models.blocks import Layers, initialise, resize
from embedseg.models.heads import enlarged_head

WIDTHS = (16, 32, 64)  # channels at 1/2, 1/4, 1/8
BLOCKS = (1, 3, 9)
EXPANSIONS = (1, 4, 4)  # of the first block of each stage; 1 in the others
DILATIONS = (1, 2, 4, 8)


def fpenet(*, in_channels: int = 3, norm: Literal["batch", "group"] = "batch") -> "FPENet":
    """Return FPENet: 32 maps at half resolution (115,125 parameters with 19 classes)."""
    return FPENet(in_channels, Layers(2, norm))


class FPENet(Backbone):
    """Three stages of pyramid blocks; two mutually weighting steps up to 1/2."""

    out_channels = 32
    stride = 2
    divisor = 8
    default_decoder: Decoder = "learned"

    def __init__(self, in_channels: int, layers: Layers) -> None:
        super().__init__()
        self.layers = layers
        self.in_channels = in_channels
        self.stem = layers.conv_norm_act(in_channels, WIDTHS[0], stride=2)
        firsts, rests, inputs = [], [], WIDTHS[0]
        for k, (width, count, expansion) in enumerate(zip(WIDTHS, BLOCKS, EXPANSIONS, strict=True)):
            firsts.append(PyramidBlock(inputs, width, expansion, 2 if k else 1, layers))
            rest = (PyramidBlock(width, width, 1, 1, layers) for _ in range(count - 1))
            rests.append(nn.Sequential(*rest))
            inputs = width
        self.firsts, self.rests = nn.ModuleList(firsts), nn.ModuleList(rests)
        self.up2 = MutualUp(WIDTHS[2], WIDTHS[1], 64, layers)
        self.up1 = MutualUp(64, WIDTHS[0], self.out_channels, layers)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, 32, H/2, W/2)."""
        x = self.stem(x)
        maps = []
        for k, (first, rest) in enumerate(zip(self.firsts, self.rests, strict=True)):
            y = first(x)
            x = y + rest(y) if k else y  # a stage adds its first block's output to its last's
            maps.append(x)
        half, quarter, eighth = maps
        x = self.up1(self.up2(eighth, quarter), half)
        return x

    def make_head(self, channels: int) -> nn.Module:
        """Return the 1x1 convolution, enlarged x2."""
        return enlarged_head(self.out_channels, channels, self.stride, self.layers, bias=True)


class PyramidBlock(nn.Module):
    """1x1, then depthwise 3x3 of dilation 1, 2, 4, 8 on quarters of the channels, then 1x1.

    Each quarter also receives the previous quarter's output. A strided 1x1 convolution fits the
    input that is added, where the shape changes.
    """

    def __init__(
        self, inputs: int, outputs: int, expansion: int, stride: int, layers: Layers
    ) -> None:
        super().__init__()
        wide = inputs * expansion
        part = wide // len(DILATIONS)
        self.expand = nn.Sequential(
            layers.conv(inputs, wide, 1, stride=stride), layers.norm(wide), nn.ReLU()
        )
        self.parts = nn.ModuleList(
            nn.Sequential(
                layers.conv(part, part, groups=part, dilation=d), layers.norm(part), nn.ReLU()
            )
            for d in DILATIONS
        )
        self.project = nn.Sequential(layers.conv(wide, outputs, 1), layers.norm(outputs))
        self.fit: nn.Module = nn.Identity()
        if stride > 1 or inputs != outputs:
            fit = layers.conv(inputs, outputs, 1, stride=stride)
            self.fit = nn.Sequential(fit, layers.norm(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, outputs, H / stride, W / stride)."""
        outs: list[Tensor] = []
        quarters = self.expand(x).chunk(len(self.parts), 1)
        for part, quarter in zip(self.parts, quarters, strict=True):
            outs.append(part(quarter + outs[-1] if outs else quarter))
        return torch.relu(self.fit(x) + self.project(torch.cat(outs, 1)))


class MutualUp(nn.Module):
    """Fine maps, channels weighted by the coarse, + coarse maps, pixels weighted by the fine."""

    def __init__(self, coarse: int, fine: int, outputs: int, layers: Layers) -> None:
        super().__init__()
        self.of_fine = nn.Sequential(layers.conv(fine, outputs, 1), layers.norm(outputs))
        self.of_coarse = nn.Sequential(layers.conv(coarse, outputs, 1), layers.norm(outputs))
        self.pixel = layers.conv(1, 1, 1)
        self.channel = layers.conv(outputs, outputs, 1)

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        """Return maps of the fine size."""
        fine, coarse = self.of_fine(fine), self.of_coarse(coarse)
        per_pixel = torch.sigmoid(self.pixel(fine.mean(1, keepdim=True)))
        means = coarse.mean((2, 3), keepdim=True)
        per_channel = torch.sigmoid(torch.relu(self.channel(means)))
        return per_channel * fine + per_pixel * resize(coarse, fine.shape[2:])
