"""FSSNet (Zhang et al., "Fast semantic segmentation for scene perception", IEEE TII 2019)."""

from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor, nn

from embedseg.models.backbone import Backbone
from embedseg.models.blocks import Layers, enlarge, initialise
from embedseg.models.heads import published_up

RATIO = 4  # a branch works with a quarter of the channels
FIRST_MAPS = 13  # of the first convolution; the pooled input is appended to them
FIRST_EPS = 1e-3  # of the first norm
EARLY_DROPOUT, DROPOUT = 0.03, 0.3
DILATIONS = (2, 5, 9, 2, 5, 9)


def fssnet(*, in_channels: int = 3, norm: Literal["batch", "group"] = "batch") -> "FSSNet":
    """Return FSSNet: 16 feature maps at half resolution (175,881 parameters with 19 classes)."""
    return FSSNet(in_channels, Layers(2, norm))


class FSSNet(Backbone):
    """Factorised blocks at 1/4, dilated ones at 1/8; each way up adds the same size's way down."""

    out_channels = 16
    stride = 2
    divisor = 8

    def __init__(self, in_channels: int, layers: Layers) -> None:
        super().__init__()
        self.layers = layers
        self.in_channels = in_channels
        self.first = replace(layers, eps=FIRST_EPS).conv_norm_act(in_channels, FIRST_MAPS, stride=2)
        self.pool = layers.pool()
        self.down1 = Down(FIRST_MAPS + in_channels, 64, EARLY_DROPOUT, layers)
        self.stage1 = nn.Sequential(
            *(Residual(64, _factorised(64, layers), EARLY_DROPOUT, layers) for _ in range(4))
        )
        self.down2 = Down(64, 128, DROPOUT, layers)
        self.stage2 = _dilated(128, DILATIONS, layers)
        self.up3, self.stage3 = Up(128, 64, layers), _dilated(64, (1, 1), layers)
        self.up4, self.stage4 = Up(64, 16, layers), _dilated(16, (1, 1), layers)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, 16, H/2, W/2)."""
        quarter = self.down1(torch.cat([self.first(x), self.pool(x)], 1))
        eighth = self.down2(self.stage1(quarter))
        x = self.stage3(self.up3(self.stage2(eighth), eighth))
        x = self.stage4(self.up4(x, quarter))
        return x

    def make_head(self, channels: int) -> nn.Module:
        """Return the 3x3 transposed convolution to full resolution, without bias."""
        return published_up(self.out_channels, channels, self.layers, bias=False)


class Residual(nn.Module):
    """ReLU(x + 1x1, `middle`, 1x1), a norm after each convolution, ReLU between, dropout last."""

    def __init__(
        self, channels: int, middle: list[nn.Module], dropout: float, layers: Layers
    ) -> None:
        super().__init__()
        inner = channels // RATIO
        self.steps = nn.Sequential(
            *layers.conv_norm_act(channels, inner, 1),
            *middle,
            layers.conv(inner, channels, 1),
            layers.norm(channels),
            layers.dropout(dropout),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the same shape."""
        return torch.relu(x + self.steps(x))


class Down(nn.Module):
    """Halves the size: ReLU(1x1 convolution of the pooled input + branch that begins with 2x2)."""

    def __init__(self, inputs: int, outputs: int, dropout: float, layers: Layers) -> None:
        super().__init__()
        inner = inputs // RATIO
        self.main = nn.Sequential(layers.pool(), layers.conv(inputs, outputs, 1))
        self.branch = nn.Sequential(
            layers.conv(inputs, inner, 2, stride=2, padding=0),
            layers.norm(inner),
            nn.ReLU(inplace=True),
            *layers.conv_norm_act(inner, inner),
            *layers.conv_norm_act(inner, outputs, 1),
            layers.dropout(dropout),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return maps of half the size."""
        return torch.relu(self.main(x) + self.branch(x))


class Up(nn.Module):
    """Doubles the size: ReLU(enlarged 1x1 convolution of x + skip, plus a transposed branch)."""

    def __init__(self, inputs: int, outputs: int, layers: Layers) -> None:
        super().__init__()
        inner = inputs // RATIO
        self.main = nn.Sequential(layers.conv(inputs, outputs, 1), layers.norm(outputs))
        self.branch = nn.Sequential(
            *layers.conv_norm_act(inputs, inner, 1),
            layers.up(inner, inner, bias=False),
            layers.norm(inner),
            nn.ReLU(inplace=True),
            *layers.conv_norm_act(inner, outputs, 1),
            layers.dropout(DROPOUT),
        )

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """Return maps of twice the size; x and skip have the same shape."""
        return torch.relu(enlarge(self.main(x + skip)) + self.branch(x))


def _factorised(channels: int, layers: Layers) -> list[nn.Module]:
    inner = channels // RATIO
    return [
        *layers.conv_norm_act(inner, inner, (3, 1)),
        *layers.conv_norm_act(inner, inner, (1, 3)),
    ]


def _dilated(channels: int, dilations: tuple[int, ...], layers: Layers) -> nn.Sequential:
    inner = channels // RATIO
    return nn.Sequential(
        *(
            Residual(channels, [*layers.conv_norm_act(inner, inner, dilation=d)], DROPOUT, layers)
            for d in dilations
        )
    )
