"""LEDNet (Wang et al., arXiv:1905.02423): split-shuffle blocks and an attention pyramid."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from embedseg.models.backbone import Backbone, Decoder
from embedseg.models.blocks import Layers, initialise, resize
from embedseg.models.erfnet import EPS, Down
from embedseg.models.heads import EnlargedHead

WIDTHS = (32, 64, 128)  # channels at 1/2, 1/4, 1/8
EARLY_DROPOUT, DROPOUT = 0.03, 0.3
DILATIONS = (1, 2, 5, 9, 2, 5, 9, 17)  # of the blocks at 1/8
LEAST = 2  # output channels of the published decoder


def lednet(*, in_channels: int = 3, norm: Literal["batch", "group"] = "batch") -> "LEDNet":
    """Return LEDNet: 128 maps at 1/8 (922,821 parameters with 19 classes).

    Its published decoder works in class space and interpolates x8; its scores, behind a ReLU, are
    never negative, so that it needs at least two output channels.
    """
    return LEDNet(in_channels, Layers(2, norm, eps=EPS))


class LEDNet(Backbone):
    """Three stages of split-shuffle blocks."""

    out_channels = WIDTHS[-1]
    stride = 8
    divisor = 8
    default_decoder: Decoder = "learned"

    def __init__(self, in_channels: int, layers: Layers) -> None:
        super().__init__()
        self.layers = layers
        self.in_channels = in_channels
        half, quarter, eighth = WIDTHS
        self.steps = nn.Sequential(
            Down(in_channels, half, layers),
            *(SplitShuffle(half, 1, EARLY_DROPOUT, layers) for _ in range(3)),
            Down(half, quarter, layers),
            *(SplitShuffle(quarter, 1, EARLY_DROPOUT, layers) for _ in range(2)),
            Down(quarter, eighth, layers),
            *(SplitShuffle(eighth, d, DROPOUT, layers) for d in DILATIONS),
        )
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, 128, H/8, W/8)."""
        x = self.steps(x)
        return x

    def make_head(self, channels: int) -> nn.Module:
        """Return the attention pyramid, enlarged x8."""
        if channels < LEAST:
            raise ValueError(
                f"the published decoder has no scores below 0, with which one channel could say "
                f"no; use decoder='learned' or at least {LEAST} output channels, got {channels}"
            )
        return EnlargedHead(AttentionPyramid(self.out_channels, channels, self.layers), self.stride)


class SplitShuffle(nn.Module):
    """Each half of the channels through factorised convolutions; ReLU(x + both), shuffled.

    The left half runs 3x1-1x3 pairs, the right 1x3-3x1; the second pair is dilated.
    """

    def __init__(self, channels: int, dilation: int, dropout: float, layers: Layers) -> None:
        super().__init__()
        half = channels // 2
        self.left = _branch(half, ((3, 1), (1, 3)), dilation, dropout, layers)
        self.right = _branch(half, ((1, 3), (3, 1)), dilation, dropout, layers)

    def forward(self, x: Tensor) -> Tensor:
        """Return the same shape."""
        left, right = x.chunk(2, 1)
        return shuffle(torch.relu(x + torch.cat([self.left(left), self.right(right)], 1)), 2)


class AttentionPyramid(nn.Module):
    """Scores times a one-channel attention map from three coarser scales, plus global scores."""

    def __init__(self, inputs: int, channels: int, layers: Layers) -> None:
        super().__init__()
        self.globally = layers.conv_norm_act(inputs, channels, 1, bias=True)
        self.scores = layers.conv_norm_act(inputs, channels, 1, bias=True)
        self.down = nn.ModuleList(
            layers.conv_norm_act(i, 1, k, stride=2, bias=True)
            for i, k in ((inputs, 7), (1, 5), (1, 3))
        )
        self.lateral = nn.ModuleList(layers.conv_norm_act(1, 1, k, bias=True) for k in (7, 5, 3))
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, channels, H, W)."""
        maps = [x]
        for down in self.down:
            maps.append(down(maps[-1]))
        attention = torch.zeros_like(maps[-1])
        for k in (3, 2, 1):
            attention = attention + self.lateral[k - 1](maps[k])
            attention = resize(attention, maps[k - 1].shape[2:])
        means: Tensor = self.globally(functional.adaptive_avg_pool2d(x, 1))
        scores: Tensor = self.scores(x)
        return means + attention * scores


def shuffle(x: Tensor, groups: int) -> Tensor:
    """Interleave the channels of `groups` equal parts: (a1 a2 b1 b2) becomes (a1 b1 a2 b2)."""
    batch, channels, height, width = x.shape
    parts = x.reshape(batch, groups, channels // groups, height, width)
    return parts.transpose(1, 2).reshape(batch, channels, height, width)


def _branch(
    channels: int,
    kernels: tuple[tuple[int, int], tuple[int, int]],
    dilation: int,
    dropout: float,
    layers: Layers,
) -> nn.Sequential:
    first, second = kernels
    steps: list[nn.Module] = []
    for d in (1, dilation):
        steps += [layers.conv(channels, channels, first, dilation=d, bias=True), nn.ReLU()]
        steps += layers.conv_norm_act(channels, channels, second, dilation=d, bias=True)
    return nn.Sequential(*steps[:-1], layers.dropout(dropout))
