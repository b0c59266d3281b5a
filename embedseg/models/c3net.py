"""C3Net (Park et al., arXiv:1812.04920): concentrated-comprehensive convolutions."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from embedseg.models.backbone import Backbone, Decoder, Features
from embedseg.models.blocks import Layers, initialise
from embedseg.models.espnet import ClassDecoder

EPS, INNER_EPS = 1e-3, 1e-5  # of the norms; of those between depthwise convolutions
STEM, MIDDLE, WIDE = 16, 64, 128  # channels at 1/2, 1/4, 1/8
DILATIONS = (2, 3, 7, 13)


def c3net(
    *, in_channels: int = 3, p: int = 2, q: int = 8, norm: Literal["batch", "group"] = "batch"
) -> "C3Net":
    """Return C3Net with p and q modules at 1/4 and 1/8: 256 maps at 1/8.

    191,614 parameters with 20 classes. Its published decoder, ESPNet's with this network's
    module, works in class space and needs at least 4 output channels.
    """
    if p < 1 or q < 1:
        raise ValueError(f"p and q must be >= 1, got p={p}, q={q}; the paper has p=2, q=8")
    return C3Net(in_channels, p, q, Layers(2, norm, eps=EPS))


class C3Net(Backbone):
    """ESPNet's layout: three stages; the shrunken image is appended to the first two."""

    out_channels = 2 * WIDE
    stride = 8
    divisor = 8
    default_decoder: Decoder = "learned"

    def __init__(self, in_channels: int, p: int, q: int, layers: Layers) -> None:
        super().__init__()
        self.layers = layers
        self.in_channels = in_channels
        self.at_half, self.at_quarter = STEM + in_channels, 2 * MIDDLE + in_channels
        self.stem = layers.conv_norm_prelu(in_channels, STEM, stride=2)
        self.join1 = layers.norm_prelu(self.at_half)
        self.down2 = Comprehensive(self.at_half, MIDDLE, DILATIONS, layers, stride=2)
        self.stage2 = nn.Sequential(
            *(Comprehensive(MIDDLE, MIDDLE, DILATIONS, layers, adds=True) for _ in range(p))
        )
        self.join2 = layers.norm_prelu(self.at_quarter)
        self.down3 = Comprehensive(self.at_quarter, WIDE, DILATIONS, layers, stride=2)
        self.stage3 = nn.Sequential(
            *(Comprehensive(WIDE, WIDE, DILATIONS, layers, adds=True) for _ in range(q))
        )
        self.join3 = layers.norm_prelu(2 * WIDE)
        initialise(self)

    def forward(self, x: Tensor) -> Features:
        """Return the maps at 1/8 (256), 1/4 and 1/2, the latter two for the published decoder."""
        small = functional.avg_pool2d(x, 2)
        half = self.join1(torch.cat([self.stem(x), small], 1))
        y = self.down2(half)
        small = functional.avg_pool2d(small, 2)
        quarter = self.join2(torch.cat([self.stage2(y), y, small], 1))
        y = self.down3(quarter)
        return self.join3(torch.cat([y, self.stage3(y)], 1)), quarter, half

    def make_head(self, channels: int) -> nn.Module:
        """Return the class-space decoder."""
        return ClassDecoder(
            self.out_channels,
            self.at_quarter,
            self.at_half,
            channels,
            self.layers,
            mixer=partial(Concentrated, dilations=DILATIONS),
            least=len(DILATIONS),
        )


class Comprehensive(nn.Module):
    """PReLU(norm(`Concentrated`(x))), with `adds` PReLU(norm(x + ...))."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        dilations: Sequence[int],
        layers: Layers,
        *,
        stride: int = 1,
        adds: bool = False,
    ) -> None:
        super().__init__()
        self.adds = adds
        self.branches = Concentrated(inputs, outputs, layers, dilations=dilations, stride=stride)
        self.act = layers.norm_prelu(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, outputs, H / stride, W / stride)."""
        y: Tensor = self.branches(x)
        y = self.act(x + y if self.adds else y)
        return y


class Concentrated(nn.Module):
    """1x1 (or strided 3x3) reduction, then one branch for each dilation, side by side.

    A branch of dilation d > 1 first gathers what its gaps would skip, by depthwise convolutions
    (2d-1)x1 and 1x(2d-1), then a depthwise dilated 3x3 and a 1x1. At d = 1 the gathering is
    left out.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        layers: Layers,
        *,
        dilations: Sequence[int],
        stride: int = 1,
    ) -> None:
        super().__init__()
        inner = outputs // len(dilations)
        first = outputs - (len(dilations) - 1) * inner
        self.reduce = layers.conv(inputs, inner, 1 if stride == 1 else 3, stride=stride)
        self.branches = nn.ModuleList(
            _branch(inner, first if k == 0 else inner, d, layers) for k, d in enumerate(dilations)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, outputs, H / stride, W / stride)."""
        x = self.reduce(x)
        return torch.cat([branch(x) for branch in self.branches], 1)


def _branch(inner: int, outputs: int, dilation: int, layers: Layers) -> nn.Sequential:
    gather: list[nn.Module] = []
    if dilation > 1:
        within = replace(layers, eps=INNER_EPS)
        size = 2 * dilation - 1
        gather = [
            within.conv_norm_prelu(inner, inner, (size, 1), groups=inner),
            layers.conv(inner, inner, (1, size), groups=inner),
            within.norm(inner),
        ]
    dilated = layers.conv(inner, inner, dilation=dilation, groups=inner)
    return nn.Sequential(*gather, dilated, layers.conv(inner, outputs, 1))
