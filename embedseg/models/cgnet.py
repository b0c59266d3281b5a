"""CGNet (Wu et al., arXiv:1811.08201): blocks that join local and surrounding context."""

from typing import Literal

import torch
from torch import Tensor, nn

from embedseg.models.backbone import Backbone, Decoder
from embedseg.models.blocks import Layers, initialise, shrink
from embedseg.models.heads import enlarged_head

EPS = 1e-3  # of every norm
STEM, MIDDLE, WIDE = 32, 64, 128  # channels at 1/2, 1/4, 1/8
DILATIONS = (2, 4)  # of the surrounding context at 1/4, 1/8
REDUCTIONS = (8, 16)  # of the channel attention at 1/4, 1/8


def cgnet(
    *,
    in_channels: int = 3,
    blocks: tuple[int, int] = (3, 21),
    norm: Literal["batch", "group"] = "batch",
) -> "CGNet":
    """Return CGNet with M, N = `blocks` at 1/4 and 1/8: 256 maps at 1/8 (496,306 parameters)."""
    if min(blocks) < 2:
        raise ValueError(f"blocks must both be >= 2, got {blocks}; the paper has (3, 21)")
    return CGNet(in_channels, blocks, Layers(2, norm, eps=EPS))


class CGNet(Backbone):
    """Three stages; the shrunken image is appended before the second and third."""

    out_channels = 2 * WIDE
    stride = 8
    divisor = 8
    default_decoder: Decoder = "learned"

    def __init__(self, in_channels: int, blocks: tuple[int, int], layers: Layers) -> None:
        super().__init__()
        self.layers = layers
        self.in_channels = in_channels
        self.stem = nn.Sequential(
            *layers.conv_norm_prelu(in_channels, STEM, stride=2),
            *layers.conv_norm_prelu(STEM, STEM),
            *layers.conv_norm_prelu(STEM, STEM),
        )
        self.join1 = layers.norm_prelu(STEM + in_channels)
        self.down2 = Down(STEM + in_channels, MIDDLE, DILATIONS[0], REDUCTIONS[0], layers)
        self.stage2 = nn.Sequential(
            *(Guided(MIDDLE, DILATIONS[0], REDUCTIONS[0], layers) for _ in range(blocks[0] - 1))
        )
        self.join2 = layers.norm_prelu(2 * MIDDLE + in_channels)
        self.down3 = Down(2 * MIDDLE + in_channels, WIDE, DILATIONS[1], REDUCTIONS[1], layers)
        self.stage3 = nn.Sequential(
            *(Guided(WIDE, DILATIONS[1], REDUCTIONS[1], layers) for _ in range(blocks[1] - 1))
        )
        self.join3 = layers.norm_prelu(2 * WIDE)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, 256, H/8, W/8)."""
        half = self.join1(torch.cat([self.stem(x), shrink(x, 1)], 1))
        y: Tensor = self.down2(half)
        y = self.join2(torch.cat([self.stage2(y), y, shrink(x, 2)], 1))
        y = self.down3(y)
        y = self.join3(torch.cat([y, self.stage3(y)], 1))
        return y

    def make_head(self, channels: int) -> nn.Module:
        """Return the 1x1 convolution, enlarged x8."""
        return enlarged_head(self.out_channels, channels, self.stride, self.layers, bias=False)


class Guided(nn.Module):
    """x + attention(PReLU(norm(local and surrounding context of a 1x1 convolution)))."""

    def __init__(self, channels: int, dilation: int, reduction: int, layers: Layers) -> None:
        super().__init__()
        self.reduce = layers.conv_norm_prelu(channels, channels // 2, 1)
        self.context = Context(channels // 2, dilation, layers)
        self.attention = ChannelAttention(channels, reduction)

    def forward(self, x: Tensor) -> Tensor:
        """Return the same shape."""
        y: Tensor = x + self.attention(self.context(self.reduce(x)))
        return y


class Down(nn.Module):
    """Halves the size: strided 3x3 convolution, both contexts, 1x1 convolution, attention."""

    def __init__(
        self, inputs: int, outputs: int, dilation: int, reduction: int, layers: Layers
    ) -> None:
        super().__init__()
        self.steps = nn.Sequential(
            layers.conv_norm_prelu(inputs, outputs, stride=2),
            Context(outputs, dilation, layers),
            layers.conv(2 * outputs, outputs, 1),
            ChannelAttention(outputs, reduction),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return maps of half the size."""
        x = self.steps(x)
        return x


class Context(nn.Module):
    """A depthwise 3x3 convolution beside a dilated one; norm and PReLU of both."""

    def __init__(self, channels: int, dilation: int, layers: Layers) -> None:
        super().__init__()
        self.local = layers.conv(channels, channels, groups=channels)
        self.surround = layers.conv(channels, channels, groups=channels, dilation=dilation)
        self.act = layers.norm_prelu(2 * channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return twice the channels."""
        x = self.act(torch.cat([self.local(x), self.surround(x)], 1))
        return x


class ChannelAttention(nn.Module):
    """x * sigmoid(linear ReLU linear(mean of x over the image))."""

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        inner = channels // reduction
        self.weigh = nn.Sequential(
            nn.Linear(channels, inner), nn.ReLU(), nn.Linear(inner, channels), nn.Sigmoid()
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the same shape."""
        weights: Tensor = self.weigh(x.mean((2, 3)))
        return x * weights[:, :, None, None]
