"""BiSeNet (Yu et al., arXiv:1808.00897): a spatial and a context path, over ResNet-18."""

from typing import Literal

import torch
from torch import Tensor, nn

from embedseg.models.backbone import Backbone, Decoder
from embedseg.models.blocks import Layers, initialise, resize
from embedseg.models.heads import EnlargedHead, pointwise_head
from embedseg.models.resnet import ResNet


def bisenet(
    *, in_channels: int = 3, width: int = 64, norm: Literal["batch", "group"] = "batch"
) -> "BiSeNet":
    """Return BiSeNet over a deep-stemmed ResNet-18: 4 * width maps at 1/8.

    13,042,643 parameters with 19 classes. With batch norm it trains on two images or more at a
    time: the context path normalises one value per image.
    """
    if width < 1:
        raise ValueError(f"width must be >= 1, got {width}; published: 64")
    return BiSeNet(in_channels, width, Layers(2, norm))


class BiSeNet(Backbone):
    """Context: refined maps at 1/32 and 1/16, summed downwards; fused with the spatial path."""

    stride = 8
    divisor = 32
    default_decoder: Decoder = "learned"

    def __init__(self, in_channels: int, width: int, layers: Layers) -> None:
        super().__init__()
        self.layers, self.width = layers, width
        self.in_channels, self.out_channels = in_channels, 4 * width
        inner = 2 * width
        self.spatial = nn.Sequential(
            *layers.conv_norm_act(in_channels, width, 7, stride=2),
            *layers.conv_norm_act(width, width, stride=2),
            *layers.conv_norm_act(width, width, stride=2),
            *layers.conv_norm_act(width, inner, 1),
        )
        self.encoder = ResNet(18, in_channels, layers, width=width, deep_stem=True)
        low, lower = self.encoder.channels[3], self.encoder.channels[2]
        self.globally = layers.conv_norm_act(low, inner, 1)
        self.attend = nn.ModuleList(Refinement(c, inner, layers) for c in (low, lower))
        self.refine = nn.ModuleList(layers.conv_norm_act(inner, inner) for _ in range(2))
        self.fuse = FeatureFusion(2 * inner, 4 * width, layers)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, 4 width, H/8, W/8)."""
        fine = self.spatial(x)
        *_, eighth, sixteenth, last = self.encoder(x)
        y: Tensor = self.globally(last.mean((2, 3), keepdim=True))
        for attend, refine, source, target in zip(
            self.attend, self.refine, (last, sixteenth), (sixteenth, eighth), strict=True
        ):
            y = refine(resize(attend(source) + y, target.shape[2:]))
        y = self.fuse(torch.cat([fine, y], 1))
        return y

    def make_head(self, channels: int) -> nn.Module:
        """Return a 3x3 convolution, norm, ReLU and a 1x1 convolution, enlarged x8."""
        middle = self.layers.conv_norm_act(self.out_channels, self.width)
        initialise(middle)
        last = pointwise_head(self.width, channels, self.layers)
        return EnlargedHead(nn.Sequential(middle, last), self.stride)


class Refinement(nn.Module):
    """Attention refinement: y sigmoid(norm(1x1(mean of y))), y a 3x3 convolution, norm, ReLU."""

    def __init__(self, inputs: int, outputs: int, layers: Layers) -> None:
        super().__init__()
        self.conv = layers.conv_norm_act(inputs, outputs)
        self.weigh = nn.Sequential(layers.conv(outputs, outputs, 1), layers.norm(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, outputs, H, W)."""
        y: Tensor = self.conv(x)
        return y * torch.sigmoid(self.weigh(y.mean((2, 3), keepdim=True)))


class FeatureFusion(nn.Module):
    """y + y sigmoid(1x1 ReLU 1x1(mean of y)), y a 1x1 convolution, norm, ReLU."""

    def __init__(self, inputs: int, outputs: int, layers: Layers) -> None:
        super().__init__()
        self.conv = layers.conv_norm_act(inputs, outputs, 1)
        self.weigh = nn.Sequential(
            layers.conv(outputs, outputs, 1), nn.ReLU(), layers.conv(outputs, outputs, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, outputs, H, W)."""
        y: Tensor = self.conv(x)
        return y + y * torch.sigmoid(self.weigh(y.mean((2, 3), keepdim=True)))
