"""Concurrent spatial and channel squeeze and excitation (Roy et al., arXiv:1803.02579)."""

import torch
from torch import Tensor, nn

from embedseg.models.blocks import Layers

REDUCTION = 2


class SqueezeExcite(nn.Module):
    """x * sigmoid(1x1 ReLU 1x1(mean of x)) + x * sigmoid(1x1(x)): by channel plus by pixel."""

    def __init__(self, channels: int, layers: Layers) -> None:
        super().__init__()
        inner = max(1, channels // REDUCTION)
        self.channel = nn.Sequential(
            layers.conv(channels, inner, 1, bias=True),
            nn.ReLU(),
            layers.conv(inner, channels, 1, bias=True),
        )
        self.pixel = layers.conv(channels, 1, 1, bias=True)

    def forward(self, x: Tensor) -> Tensor:
        """Return the same shape."""
        axes = tuple(range(2, x.ndim))
        by_channel = torch.sigmoid(self.channel(x.mean(axes, keepdim=True)))
        return x * by_channel + x * torch.sigmoid(self.pixel(x))
