"""ExtremeC3Net (Park et al., arXiv:1908.03093): portraits with 38 thousand parameters."""

from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from embedseg.models.backbone import Backbone, Decoder
from embedseg.models.blocks import Layers, enlarge, initialise
from embedseg.models.c3net import EPS, INNER_EPS, Comprehensive
from embedseg.models.heads import enlarged_head

STEM, MIDDLE, WIDE, FINE = 24, 48, 56, 24  # channels at 1/2, 1/4, 1/4; of the fine branch at 1/2
DOWN, FIRST, WIDEN, USUAL = (1, 2, 3), (1, 3, 4), (1, 3, 5), (2, 4, 8)  # dilations


def extremec3net(
    *, in_channels: int = 3, p: int = 1, q: int = 5, norm: Literal["batch", "group"] = "batch"
) -> "ExtremeC3Net":
    """Return ExtremeC3Net: 24 maps at half resolution (37,738 parameters with one class)."""
    if p < 1 or q < 1:
        raise ValueError(f"p and q must be >= 1, got p={p}, q={q}; the paper has p=1, q=5")
    return ExtremeC3Net(in_channels, p, q, Layers(2, norm, eps=EPS))


class ExtremeC3Net(Backbone):
    """A coarse branch at 1/4, enlarged, plus a fine branch of one module at 1/2."""

    out_channels = FINE
    stride = 2
    divisor = 4
    default_decoder: Decoder = "learned"

    def __init__(self, in_channels: int, p: int, q: int, layers: Layers) -> None:
        super().__init__()
        self.layers = layers
        self.in_channels = in_channels
        half, quarter = STEM + in_channels, 2 * MIDDLE + in_channels
        self.stem = layers.conv_norm_prelu(in_channels, STEM, stride=2)
        self.join1 = layers.norm_prelu(half)
        self.down2 = Comprehensive(half, MIDDLE, DOWN, layers, stride=2)
        self.stage2 = nn.Sequential(
            *(Comprehensive(MIDDLE, MIDDLE, FIRST, layers, adds=True) for _ in range(p))
        )
        self.join2 = layers.norm_prelu(quarter)
        self.widen = Comprehensive(quarter, WIDE, WIDEN, layers)
        self.stage3 = nn.Sequential(
            *(Comprehensive(WIDE, WIDE, USUAL, layers, adds=True) for _ in range(q))
        )
        self.join3 = layers.norm_prelu(2 * WIDE)
        self.coarse = nn.Sequential(
            layers.conv(2 * WIDE, FINE, 1), replace(layers, eps=INNER_EPS).norm(FINE)
        )
        self.fine = nn.Sequential(
            layers.conv(in_channels, FINE, stride=2),
            Comprehensive(FINE, FINE, USUAL, layers, adds=True),
        )
        self.last = layers.norm_prelu(FINE)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, 24, H/2, W/2)."""
        small = functional.avg_pool2d(x, 2)
        y: Tensor = self.join1(torch.cat([self.stem(x), small], 1))
        y = self.down2(y)
        y = self.join2(torch.cat([self.stage2(y), y, functional.avg_pool2d(small, 2)], 1))
        y = self.widen(y)
        y = self.join3(torch.cat([y, self.stage3(y)], 1))
        y = self.last(enlarge(self.coarse(y)) + self.fine(x))
        return y

    def make_head(self, channels: int) -> nn.Module:
        """Return the 1x1 convolution, enlarged x2 (published in the other order: equal)."""
        return enlarged_head(self.out_channels, channels, self.stride, self.layers, bias=False)
