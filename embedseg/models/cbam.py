"""The convolutional block attention module, CBAM (Woo et al., arXiv:1807.06521)."""

import torch
from torch import Tensor, nn

from embedseg.models.blocks import Layers

REDUCTION = 16
KERNEL = 7


class BlockAttention(nn.Module):
    """Weights x first by channel, then by pixel.

    Channel: sigmoid(f(mean) + f(maximum)) over the image, f two 1x1 convolutions. Pixel:
    sigmoid(7x7 convolution of the mean and the maximum over the channels).
    """

    def __init__(self, channels: int, layers: Layers) -> None:
        super().__init__()
        inner = max(1, channels // REDUCTION)
        self.channel = nn.Sequential(
            layers.conv(channels, inner, 1, bias=True),
            nn.ReLU(),
            layers.conv(inner, channels, 1, bias=True),
        )
        self.pixel = layers.conv(2, 1, KERNEL, bias=True)

    def forward(self, x: Tensor) -> Tensor:
        """Return the same shape."""
        axes = tuple(range(2, x.ndim))
        mean, most = x.mean(axes, keepdim=True), x.amax(axes, keepdim=True)
        x = x * torch.sigmoid(self.channel(mean) + self.channel(most))
        over = torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], 1)
        return x * torch.sigmoid(self.pixel(over))
