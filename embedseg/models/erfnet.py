"""ERFNet (Romera, Alvarez, Bergasa, Arroyo, IEEE T-ITS 2018), in two or three dimensions."""

from typing import Literal

import torch
from torch import Tensor, nn

from embedseg.models.backbone import Backbone
from embedseg.models.blocks import Layers, initialise
from embedseg.models.heads import transposed_head

EPS = 1e-3  # of every norm
FIRST_MAPS = 13  # of the first convolution; the pooled input is appended to them
EARLY_DROPOUT, DROPOUT = 0.03, 0.3
DILATIONS = (2, 4, 8, 16) * 2


def erfnet(
    *,
    in_channels: int = 3,
    norm: Literal["batch", "group"] = "batch",
    dropout: float = DROPOUT,
    ndim: int = 2,
) -> "ERFNet":
    """Return ERFNet: 16 feature maps at half resolution (2,064,191 parameters with 19 classes).

    `dropout` is that of the eight dilated blocks at 1/8. With ndim=3 a factorised block has one
    convolution along each of the three axes.
    """
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout must be in [0, 1), got {dropout}")
    return ERFNet(in_channels, dropout, Layers(ndim, norm, eps=EPS))


class ERFNet(Backbone):
    """Factorised residual blocks at 1/4 and 1/8, and a light decoder of the same blocks."""

    out_channels = 16
    stride = 2
    divisor = 8

    def __init__(self, in_channels: int, dropout: float, layers: Layers) -> None:
        super().__init__()
        self.layers, self.ndim = layers, layers.ndim
        self.in_channels = in_channels
        start = FIRST_MAPS + in_channels
        self.encoder = nn.Sequential(
            Down(in_channels, start, layers),
            Down(start, 64, layers),
            *(Factorised(64, 3, 1, EARLY_DROPOUT, layers) for _ in range(5)),
            Down(64, 128, layers),
            *(Factorised(128, 3, d, dropout, layers) for d in DILATIONS),
        )
        self.decoder = nn.Sequential(
            *up_norm_act(128, 64, layers),
            *(Factorised(64, 3, 1, 0.0, layers) for _ in range(2)),
            *up_norm_act(64, 16, layers),
            *(Factorised(16, 3, 1, 0.0, layers) for _ in range(2)),
        )
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, 16, *S / 2)."""
        x = self.decoder(self.encoder(x))
        return x

    def make_head(self, channels: int) -> nn.Module:
        """Return the 2x2 transposed convolution to full resolution."""
        return transposed_head(self.out_channels, channels, 2, self.layers)


class Down(nn.Module):
    """Halves the size: a strided 3x3 convolution beside the max-pooled input, norm, ReLU.

    Without the pooled input where that alone would fill the outputs.
    """

    def __init__(self, inputs: int, outputs: int, layers: Layers) -> None:
        super().__init__()
        self.pools = inputs < outputs
        maps = outputs - inputs if self.pools else outputs
        self.conv = layers.conv(inputs, maps, stride=2, bias=True)
        self.pool = layers.pool()
        self.norm = layers.norm(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return maps of half the size."""
        y = self.conv(x)
        return torch.relu(self.norm(torch.cat([y, self.pool(x)], 1) if self.pools else y))


class Factorised(nn.Module):
    """Residual block of convolutions along single axes ("non-bottleneck-1D"), size `kernel`.

    Twice: one convolution per axis with ReLU between, then norm; the second time dilated. With
    biases. Dropout of whole maps precedes the sum.
    """

    def __init__(self, channels: int, kernel: int, dilation: int, dropout: float, layers: Layers):
        super().__init__()
        self.steps = nn.Sequential(
            *axes(channels, kernel, 1, layers),
            layers.norm(channels),
            nn.ReLU(inplace=True),
            *axes(channels, kernel, dilation, layers),
            layers.norm(channels),
            layers.dropout(dropout),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the same shape."""
        return torch.relu(x + self.steps(x))


def axes(channels: int, kernel: int, dilation: int, layers: Layers) -> list[nn.Module]:
    """Return one convolution along each axis, ReLU between them."""
    steps: list[nn.Module] = []
    for axis in range(layers.ndim):
        size = tuple(kernel if k == axis else 1 for k in range(layers.ndim))
        steps += [layers.conv(channels, channels, size, dilation=dilation, bias=True)]
        steps += [nn.ReLU(inplace=True)]
    return steps[:-1]


def up_norm_act(inputs: int, outputs: int, layers: Layers) -> list[nn.Module]:
    """Return a 3x3 transposed convolution that doubles the size, norm, ReLU."""
    up = layers.up(inputs, outputs, 3, padding=1, output_padding=1)
    return [up, layers.norm(outputs), nn.ReLU(inplace=True)]
