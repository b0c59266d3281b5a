"""Attention U-Net (Oktay et al., arXiv:1804.03999)."""

from typing import Literal

import torch
from torch import Tensor, nn

from embedseg.models.blocks import Layers
from embedseg.models.unet import FORMS, UNet, check_widths


def attention_unet(
    *,
    in_channels: int = 3,
    width: int = 64,
    depth: int = 4,
    max_width: int = 1024,
    norm: Literal["batch", "group"] = "batch",
    ndim: int = 2,
) -> UNet:
    """Return a U-Net whose skips are weighted by an `AttentionGate` (form "leejunhyun")."""
    layers = Layers(ndim, norm)
    widths = check_widths(width, depth, max_width)
    return UNet(
        in_channels,
        widths,
        1,
        layers,
        FORMS["leejunhyun"],
        gate=lambda channels: AttentionGate(channels, layers),
    )


class AttentionGate(nn.Module):
    """skip * sigmoid(psi(ReLU(W_g g + W_x skip))), additive attention with one weight per pixel.

    g are the enlarged features from below, already at the skip's resolution; W_g, W_x (to half of
    the channels) and psi (to one) are 1x1 convolutions with bias, each with a norm.
    """

    def __init__(self, channels: int, layers: Layers) -> None:
        super().__init__()
        inner = max(1, channels // 2)
        self.of_signal = nn.Sequential(
            layers.conv(channels, inner, 1, bias=True), layers.norm(inner)
        )
        self.of_skip = nn.Sequential(layers.conv(channels, inner, 1, bias=True), layers.norm(inner))
        self.psi = nn.Sequential(layers.conv(inner, 1, 1, bias=True), layers.norm(1))

    def forward(self, signal: Tensor, skip: Tensor) -> Tensor:
        """Return the weighted skip."""
        weight = self.psi(torch.relu(self.of_signal(signal) + self.of_skip(skip)))
        return skip * torch.sigmoid(weight)
