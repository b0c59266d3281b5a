"""U-Net (Ronneberger, Fischer, Brox, arXiv:1505.04597), with width, depth and a strided start."""

from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from embedseg.models.backbone import Backbone
from embedseg.models.blocks import Layers, initialise, space_to_depth
from embedseg.models.heads import transposed_head

STEM_STRIDES = (1, 2, 4)


def unet(
    *,
    in_channels: int = 3,
    width: int = 32,
    depth: int = 4,
    max_width: int = 512,
    stem_stride: int = 1,
    norm: Literal["batch", "group"] = "batch",
    ndim: int = 2,
) -> "UNet":
    """Return a U-Net of `depth` halvings with min(width * 2^k, max_width) channels at level k.

    `stem_stride` 2 or 4 first moves blocks of that many pixels per side into channels, so that all
    work happens at 1/2 or 1/4 of the resolution; the head's transposed convolution restores it.
    At 1/2 a step costs about a quarter. Biases only where no norm follows.
    """
    if width < 1 or depth < 1 or max_width < width:
        raise ValueError(
            f"need width >= 1, depth >= 1 and max_width >= width, "
            f"got width={width}, depth={depth}, max_width={max_width}"
        )
    if stem_stride not in STEM_STRIDES:
        raise ValueError(f"stem_stride must be one of {STEM_STRIDES}, got {stem_stride}")
    widths = [min(width << k, max_width) for k in range(depth + 1)]
    return UNet(in_channels, widths, stem_stride, Layers(ndim, norm))


class UNet(Backbone):
    """Encoder of double convolutions and max pooling, decoder of transposed ones, with skips."""

    def __init__(self, in_channels: int, widths: list[int], stem_stride: int, layers: Layers):
        super().__init__()
        self.layers, self.ndim = layers, layers.ndim
        self.in_channels, self.out_channels = in_channels, widths[0]
        self.stride = stem_stride
        self.divisor = stem_stride << (len(widths) - 1)
        inputs = [in_channels * stem_stride**self.ndim, *widths]
        self.down = nn.ModuleList(
            double(i, o, layers) for i, o in zip(inputs, widths, strict=False)
        )
        self.pool = layers.pool()
        pairs = list(pairwise(widths))[::-1]
        self.up = nn.ModuleList(layers.up(low, high) for high, low in pairs)
        self.merge = nn.ModuleList(double(2 * high, high, layers) for high, _ in pairs)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, out_channels, *S / stride)."""
        x = space_to_depth(x, self.stride)
        skips: list[Tensor] = []
        for level, block in enumerate(self.down):
            x = block(x if level == 0 else self.pool(x))
            skips.append(x)
        for up, merge, skip in zip(self.up, self.merge, skips[-2::-1], strict=True):
            x = merge(torch.cat([skip, up(x)], 1))
        return x

    def make_head(self, channels: int) -> nn.Module:
        """Return the 1x1 convolution, or a transposed one that undoes `stem_stride`."""
        return transposed_head(self.out_channels, channels, self.stride, self.layers)


def double(inputs: int, outputs: int, layers: Layers) -> nn.Sequential:
    """Return twice (3x3 convolution, norm, ReLU)."""
    return nn.Sequential(
        *layers.conv_norm_act(inputs, outputs), *layers.conv_norm_act(outputs, outputs)
    )
