"""ESPNetv2 (Mehta et al., arXiv:1811.11431): depthwise spatial pyramids, segmentation form."""

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from embedseg.models.backbone import Backbone, Decoder, Features
from embedseg.models.blocks import Layers, enlarge, initialise, resize, shrink

BRANCHES = 4
BASE = 32  # channels of the first convolution at scale 1
BLOCKS = (3, 7)  # at 1/8, 1/16
LIMITS = (13, 11, 9)  # largest receptive fields of the three halvings; then of the blocks:
BLOCK_LIMITS = (9, 7)
DILATION_OF = {3: 1, 5: 2, 7: 3, 9: 4}  # receptive field of a 3x3 convolution -> dilation
POOLINGS = 4  # scales of the pyramid of means
DROPOUT = 0.2


def espnetv2(
    *, in_channels: int = 3, scale: float = 2.0, norm: Literal["batch", "group"] = "batch"
) -> "ESPNetV2":
    """Return ESPNetv2 of width `scale`: 128 * scale maps at 1/8.

    1,252,058 parameters for scale 2 with 19 classes: 480 of activations that the form never calls
    are left out. Its published decoder works in class space and interpolates.
    """
    if scale < 0.5:
        raise ValueError(f"scale must be >= 0.5, got {scale}; the paper has 0.5 to 2")
    return ESPNetV2(in_channels, scale, Layers(2, norm))


class ESPNetV2(Backbone):
    """Four levels, each halving fed with the shrunken image; a pyramid joins 1/8 and 1/16."""

    stride = 8
    divisor = 16
    default_decoder: Decoder = "learned"

    def __init__(self, in_channels: int, scale: float, layers: Layers) -> None:
        super().__init__()
        self.layers = layers
        self.in_channels = in_channels
        base = math.ceil(int(BASE * scale) / BRANCHES) * BRANCHES
        widths = [min(BASE, base), 2 * base, 4 * base, 8 * base]
        self.at_half, self.at_quarter, self.out_channels = widths[:3]
        self.stem = layers.conv_norm_prelu(in_channels, widths[0], stride=2)
        self.downs = nn.ModuleList(
            Down(i, o, in_channels, limit, layers)
            for i, o, limit in zip(widths, widths[1:], LIMITS, strict=False)
        )
        self.stages = nn.ModuleList(
            nn.Sequential(*(Residual(w, w, limit, layers) for _ in range(count)))
            for w, count, limit in zip(widths[2:], BLOCKS, BLOCK_LIMITS, strict=True)
        )
        self.project = layers.conv_norm_prelu(widths[3], widths[2], 1)
        self.pyramid = nn.Sequential(
            Residual(2 * widths[2], widths[2], BLOCK_LIMITS[-1], layers),
            PyramidOfMeans(widths[2], layers),
        )
        initialise(self)

    def forward(self, x: Tensor) -> Features:
        """Return the maps at 1/8, 1/4 and 1/2, the latter two for the published decoder."""
        half = self.stem(x)
        quarter = self.downs[0](half, shrink(x, 2))
        eighth = self.stages[0](self.downs[1](quarter, shrink(x, 3)))
        low = self.project(self.stages[1](self.downs[2](eighth, shrink(x, 4))))
        return self.pyramid(torch.cat([eighth, enlarge(low)], 1)), quarter, half

    def make_head(self, channels: int) -> nn.Module:
        """Return the class-space decoder."""
        return ClassLadder(self.out_channels, self.at_quarter, self.at_half, channels, self.layers)


class Pyramid(nn.Module):
    """Grouped 1x1, four depthwise 3x3 of growing dilation, running sums, grouped 1x1 and norm.

    Receptive fields are 3, 5, 7, 9; what exceeds `limit` becomes 3.
    """

    def __init__(
        self, inputs: int, outputs: int, limit: int, layers: Layers, *, stride: int = 1
    ) -> None:
        super().__init__()
        inner = outputs // BRANCHES
        fields = sorted(f if f <= limit else 3 for f in DILATION_OF)
        self.reduce = layers.conv_norm_prelu(inputs, inner, 1, groups=BRANCHES)
        self.branches = nn.ModuleList(
            layers.conv(inner, inner, stride=stride, dilation=DILATION_OF[f], groups=inner)
            for f in fields
        )
        self.expand = nn.Sequential(
            layers.norm_prelu(outputs),
            layers.conv(outputs, outputs, 1, groups=BRANCHES),
            layers.norm(outputs),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, outputs, H / stride, W / stride)."""
        x = self.reduce(x)
        maps: list[Tensor] = []
        for branch in self.branches:
            y = branch(x)
            maps.append(y + maps[-1] if maps else y)
        x = self.expand(torch.cat(maps, 1))
        return x


class Residual(nn.Module):
    """PReLU(pyramid(x)), x added where the channels agree."""

    def __init__(self, inputs: int, outputs: int, limit: int, layers: Layers) -> None:
        super().__init__()
        self.adds = inputs == outputs
        self.pyramid = Pyramid(inputs, outputs, limit, layers)
        self.act = nn.PReLU(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, outputs, H, W)."""
        y: Tensor = self.pyramid(x)
        y = self.act(x + y if self.adds else y)
        return y


class Down(nn.Module):
    """Halves the size: mean pooling beside a strided pyramid, plus convolutions of the image."""

    def __init__(self, inputs: int, outputs: int, image: int, limit: int, layers: Layers) -> None:
        super().__init__()
        self.pyramid = Pyramid(inputs, outputs - inputs, limit, layers, stride=2)
        self.reinforce = nn.Sequential(
            layers.conv_norm_prelu(image, image),
            layers.conv(image, outputs, 1),
            layers.norm(outputs),
        )
        self.act = nn.PReLU(outputs)

    def forward(self, x: Tensor, image: Tensor) -> Tensor:
        """Return maps of half the size; `image` already has it."""
        y = torch.cat([functional.avg_pool2d(x, 3, 2, 1), self.pyramid(x)], 1)
        x = self.act(y + self.reinforce(image))
        return x


class PyramidOfMeans(nn.Module):
    """Appends four ever more shrunken copies, each through a depthwise 3x3; a 1x1 fuses all."""

    def __init__(self, channels: int, layers: Layers) -> None:
        super().__init__()
        self.stages = nn.ModuleList(
            layers.conv(channels, channels, groups=channels) for _ in range(POOLINGS)
        )
        self.fuse = layers.conv_norm_prelu((POOLINGS + 1) * channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the same shape."""
        maps, small = [x], x
        for stage in self.stages:
            small = shrink(small, 1)
            maps.append(resize(stage(small), x.shape[2:]))
        x = self.fuse(torch.cat(maps, 1))
        return x


class ClassLadder(nn.Module):
    """Scores at 1/8, enlarged x2 three times; the maps at 1/4 and 1/2 join on the way."""

    def __init__(self, eighth: int, quarter: int, half: int, channels: int, layers: Layers) -> None:
        super().__init__()
        self.from_eighth = nn.Sequential(
            layers.dropout(DROPOUT),
            layers.conv(eighth, channels, 1),
            layers.norm_prelu(channels),
        )
        self.at_quarter = layers.conv_norm_prelu(quarter + channels, channels, 1)
        self.at_half = nn.Sequential(
            layers.dropout(DROPOUT), layers.conv(half + channels, channels, 1)
        )
        initialise(self)

    def forward(self, features: tuple[Tensor, ...]) -> Tensor:
        """Return (B, channels, H, W)."""
        eighth, quarter, half = features
        x = enlarge(self.from_eighth(eighth))
        x = enlarge(self.at_quarter(torch.cat([quarter, x], 1)))
        return enlarge(self.at_half(torch.cat([half, x], 1)))
