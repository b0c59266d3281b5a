"""Last layers: from features to embeddings or class scores, and the decoder for coarse features."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from embedseg.models.backbone import Features
from embedseg.models.blocks import Layers, enlarge, initialise, resize

FINEST_STRIDE = 2  # the learned decoder works up to here; the head's transposed convolution ends it
DETAIL = 16  # channels of the detail path at every scale
SIDE_DROPOUT = 0.1  # in heads that serve the training
WIDTHS = {2: 16, 4: 32, 8: 64, 16: 64}  # stride -> channels of the learned decoder


def pointwise_head(inputs: int, channels: int, layers: Layers) -> nn.Module:
    """Return a 1x1 convolution: outputs at the features' own resolution."""
    return kernel_head(inputs, channels, 1, layers)


def kernel_head(inputs: int, channels: int, kernel: int, layers: Layers) -> nn.Module:
    """Return a convolution with bias that keeps the resolution."""
    return _head(layers.conv(inputs, channels, kernel, bias=True))


def transposed_head(inputs: int, channels: int, stride: int, layers: Layers) -> nn.Module:
    """Return a transposed convolution, kernel = stride: every output pixel has its own weights."""
    if stride == 1:
        return pointwise_head(inputs, channels, layers)
    return _head(layers.up(inputs, channels, stride, stride=stride))


def published_up(inputs: int, channels: int, layers: Layers, *, bias: bool) -> nn.Module:
    """Return the 3x3 transposed convolution that doubles the size."""
    return _head(layers.up(inputs, channels, 3, padding=1, output_padding=1, bias=bias))


class EnlargedHead(nn.Module):
    """A convolution at 1/stride, then linear interpolation: the published end of light networks.

    Interpolated embeddings pass through other instances at borders: prefer `LearnedDecoder`.
    """

    def __init__(self, last: nn.Module, factor: int) -> None:
        super().__init__()
        self.last = last
        self.factor = factor

    def forward(self, features: Features) -> Tensor:
        """Return (B, channels, *S) from features at 1/factor."""
        return enlarge(self.last(first(features)), factor=self.factor)


def enlarged_head(
    inputs: int, channels: int, factor: int, layers: Layers, *, bias: bool, dropout: float = 0.0
) -> EnlargedHead:
    """Return dropout of whole maps, a 1x1 convolution, and interpolation."""
    last = _head(layers.conv(inputs, channels, 1, bias=bias))
    return EnlargedHead(nn.Sequential(layers.dropout(dropout), last) if dropout else last, factor)


def auxiliary_head(
    inputs: int, middle: int, channels: int, factor: int, layers: Layers, *, bias: bool = True
) -> EnlargedHead:
    """Return 3x3 convolution, norm, ReLU, dropout, 1x1 convolution with bias, and interpolation."""
    steps = nn.Sequential(
        *layers.conv_norm_act(inputs, middle, bias=bias), layers.dropout(SIDE_DROPOUT)
    )
    initialise(steps)
    return EnlargedHead(nn.Sequential(steps, pointwise_head(middle, channels, layers)), factor)


class SideHeads(nn.Module):
    """One head for each of several features: deep supervision.

    The output is the mean of all heads or that of the first; `sides` gives each of them. Features
    beyond the heads are left to `Backbone.auxiliary`.
    """

    def __init__(self, heads: Sequence[nn.Module], *, average: bool) -> None:
        super().__init__()
        self.heads = nn.ModuleList(heads)
        self.average = average

    def sides(self, features: Features, start: int = 0) -> list[Tensor]:
        """Return the outputs (B, channels, *S) of the heads from `start` on, for their features."""
        return [h(f) for h, f in zip(list(self.heads)[start:], features, strict=False)]

    def forward(self, features: Features) -> Tensor:
        """Return (B, channels, *S)."""
        if self.average:
            return torch.stack(self.sides(features)).mean(0)
        only: Tensor = self.heads[0](features[0])
        return only


def side_heads(head: nn.Module) -> SideHeads:
    """Return the heads of deep supervision without the first, which another head replaces."""
    if not isinstance(head, SideHeads):
        raise TypeError(f"deep supervision has several heads, got {type(head).__name__}")
    return SideHeads(list(head.heads)[1:], average=False)


class PresenceHead(nn.Module):
    """A linear layer on the means of the features: which classes the image shows."""

    def __init__(self, inputs: int, channels: int) -> None:
        super().__init__()
        self.last = nn.Linear(inputs, channels)

    def forward(self, features: Features) -> Tensor:
        """Return (B, channels)."""
        return self.last(first(features).flatten(2).mean(2))


class LearnedDecoder(nn.Module):
    """Restores resolution by learned layers; shared by the heads that follow.

    For every halving of the stride: enlarge the features x2 (nearest), append DETAIL maps that a
    3x3 convolution of the input gives at that scale, then 3x3 convolution, norm, ReLU. Ends at
    `target` > 1; `out_channels` and `stride` describe the result.
    """

    def __init__(self, inputs: int, stride: int, target: int, image_channels: int, layers: Layers):
        super().__init__()
        strides = [stride >> k for k in range(1, 1 + int(math.log2(stride // target)))]
        detail, steps = [], []
        for s in strides:
            width = WIDTHS.get(s, max(WIDTHS.values()))
            detail.append(layers.conv_norm_act(image_channels, DETAIL))
            steps.append(layers.conv_norm_act(inputs + DETAIL, width))
            inputs = width
        self.detail = nn.ModuleList(detail)
        self.steps = nn.ModuleList(steps)
        self.out_channels = inputs
        self.stride = target
        initialise(self)

    def forward(self, features: Features, image: Tensor) -> Tensor:
        """Return (B, out_channels, *S / stride)."""
        x = first(features)
        for detail, step in zip(self.detail, self.steps, strict=True):
            x = enlarge(x, mode="nearest")
            x = step(torch.cat([x, detail(resize(image, x.shape[2:]))], 1))
        return x


def first(features: Features) -> Tensor:
    """Return the features that a simple head reads."""
    return features if isinstance(features, Tensor) else features[0]


def with_first(features: Features, maps: Tensor) -> Features:
    """Return the features with their first entry replaced."""
    return maps if isinstance(features, Tensor) else (maps, *features[1:])


def _head(layer: nn.Module) -> nn.Module:
    initialise(layer, gain=1.0)  # no ReLU follows
    return layer
