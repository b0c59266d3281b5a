"""ESPNet (Mehta et al., arXiv:1803.06815): spatial pyramids of dilated convolutions."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from embedseg.models.backbone import Backbone, Decoder, Features
from embedseg.models.blocks import Layers, initialise, shrink
from embedseg.models.heads import enlarged_head

EPS = 1e-3  # of every norm
STEM, MIDDLE, WIDE = 16, 64, 128  # channels at 1/2, 1/4, 1/8
BRANCHES = 5  # dilations 1, 2, 4, 8, 16


def espnet(
    *,
    in_channels: int = 3,
    p: int = 2,
    q: int = 3,
    light: bool = True,
    norm: Literal["batch", "group"] = "batch",
) -> "ESPNet":
    """Return ESPNet with p and q blocks at 1/4 and 1/8: 256 maps at 1/8.

    201,542 parameters for p=2, q=3 and 363,462 for q=8 with 19 classes. Its published decoder
    works in class space and needs at least 5 output channels. `light=False` gives ESPNet-C, the
    encoder with a 1x1 convolution.
    """
    if p < 1 or q < 1:
        raise ValueError(f"p and q must be >= 1, got p={p}, q={q}; the paper has p=2 and q=3 or 8")
    return ESPNet(in_channels, p, q, Layers(2, norm, eps=EPS), light=light)


class ESPNet(Backbone):
    """Three stages; the shrunken image is appended to the first two."""

    out_channels = 2 * WIDE
    stride = 8
    divisor = 8
    default_decoder: Decoder = "learned"

    def __init__(self, in_channels: int, p: int, q: int, layers: Layers, *, light: bool) -> None:
        super().__init__()
        self.layers, self.light = layers, light
        self.in_channels = in_channels
        self.at_half, self.at_quarter = STEM + in_channels, 2 * MIDDLE + in_channels
        self.stem = layers.conv_norm_prelu(in_channels, STEM, stride=2)
        self.join1 = layers.norm_prelu(self.at_half)
        self.down2 = nn.Sequential(
            Pyramid(self.at_half, MIDDLE, layers, stride=2), layers.norm_prelu(MIDDLE)
        )
        self.stage2 = nn.Sequential(*(Residual(MIDDLE, layers) for _ in range(p)))
        self.join2 = layers.norm_prelu(self.at_quarter)
        self.down3 = nn.Sequential(
            Pyramid(self.at_quarter, WIDE, layers, stride=2), layers.norm_prelu(WIDE)
        )
        self.stage3 = nn.Sequential(*(Residual(WIDE, layers) for _ in range(q)))
        self.join3 = layers.norm_prelu(2 * WIDE)
        initialise(self)

    def forward(self, x: Tensor) -> Features:
        """Return the maps at 1/8 (256), 1/4 and 1/2, the latter two for the published decoder."""
        half = self.join1(torch.cat([self.stem(x), shrink(x, 1)], 1))
        y = self.down2(half)
        quarter = self.join2(torch.cat([self.stage2(y), y, shrink(x, 2)], 1))
        y = self.down3(quarter)
        return self.join3(torch.cat([y, self.stage3(y)], 1)), quarter, half

    def make_head(self, channels: int) -> nn.Module:
        """Return the class-space decoder, or for ESPNet-C the 1x1 convolution enlarged x8."""
        if not self.light:
            return enlarged_head(self.out_channels, channels, self.stride, self.layers, bias=False)
        return ClassDecoder(self.out_channels, self.at_quarter, self.at_half, channels, self.layers)


class Pyramid(nn.Module):
    """1x1 (or strided 3x3) reduction, five dilated 3x3 convolutions, sums of 2, 2+4, 2+4+8, ...

    The sums ("hierarchical feature fusion") remove the gridding that dilations leave.
    """

    def __init__(self, inputs: int, outputs: int, layers: Layers, *, stride: int = 1) -> None:
        super().__init__()
        inner = outputs // BRANCHES
        first = outputs - (BRANCHES - 1) * inner
        self.reduce = layers.conv(inputs, inner, 1 if stride == 1 else 3, stride=stride)
        self.branches = nn.ModuleList(
            layers.conv(inner, first if k == 0 else inner, dilation=1 << k) for k in range(BRANCHES)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, outputs, H / stride, W / stride)."""
        x = self.reduce(x)
        undilated, *maps = [branch(x) for branch in self.branches]
        for k in range(1, len(maps)):
            maps[k] = maps[k - 1] + maps[k]
        return torch.cat([undilated, *maps], 1)


class Residual(nn.Module):
    """PReLU(norm(x + pyramid(x)))."""

    def __init__(self, channels: int, layers: Layers) -> None:
        super().__init__()
        self.pyramid = Pyramid(channels, channels, layers)
        self.act = layers.norm_prelu(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return the same shape."""
        x = self.act(x + self.pyramid(x))
        return x


class ClassDecoder(nn.Module):
    """Scores at 1/8, enlarged by 2x2 transposed convolutions; 1/4 and 1/2 maps join on the way.

    `mixer(inputs, outputs, layers)` makes the block that mixes the scores at 1/4.
    """

    def __init__(
        self,
        eighth: int,
        quarter: int,
        half: int,
        channels: int,
        layers: Layers,
        *,
        mixer: Callable[[int, int, Layers], nn.Module] = Pyramid,
        least: int = BRANCHES,
    ) -> None:
        super().__init__()
        if channels < least:
            raise ValueError(
                f"the published decoder needs at least {least} output channels, got {channels}; "
                f"use decoder='learned'"
            )
        self.from_eighth = nn.Sequential(
            layers.conv(eighth, channels, 1),
            layers.norm(channels),
            layers.up(channels, channels, bias=False),
        )
        self.from_quarter = layers.conv(quarter, channels, 1)
        self.to_half = nn.Sequential(
            layers.norm_prelu(2 * channels),
            mixer(2 * channels, channels, layers),
            layers.norm_prelu(channels),
            layers.up(channels, channels, bias=False),
            layers.norm_prelu(channels),
        )
        self.to_full = nn.Sequential(
            layers.conv_norm_prelu(half + channels, channels),
            layers.up(channels, channels, bias=False),
        )
        initialise(self)

    def forward(self, features: tuple[Tensor, ...]) -> Tensor:
        """Return (B, channels, H, W)."""
        eighth, quarter, half = features
        scores = torch.cat([self.from_quarter(quarter), self.from_eighth(eighth)], 1)
        full: Tensor = self.to_full(torch.cat([self.to_half(scores), half], 1))
        return full
