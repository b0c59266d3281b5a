"""CCNet (Huang et al., arXiv:1811.11721): criss-cross attention over a dilated ResNet."""

from typing import Literal

import torch
from torch import Tensor, nn

from embedseg.models.backbone import Features
from embedseg.models.blocks import Layers, initialise
from embedseg.models.dilated import DilatedNet
from embedseg.models.resnet import ResNet

REDUCTION = 8  # of the channels of queries and keys
SLOPE = 0.01  # of the leaky ReLUs in the published head
DROPOUT = 0.1


def ccnet(
    *,
    in_channels: int = 3,
    depth: int = 101,
    width: int = 64,
    recurrence: int = 2,
    deep_supervision: bool = False,
    deep_stem: bool = True,
    norm: Literal["batch", "group"] = "batch",
) -> "CCNet":
    """Return CCNet: 8 * width maps at 1/8; with `deep_supervision` a second head on stage 3.

    71,287,911 parameters for depth 101 with 19 classes and both heads. The attention is applied
    `recurrence` times with the same weights; twice lets every pixel see every other.

    `deep_stem=False` begins with one 7x7 convolution, as the weights of torchvision do.
    """
    if recurrence < 1:
        raise ValueError(f"recurrence must be >= 1, got {recurrence}; the paper has 2")
    layers = Layers(2, norm)
    encoder = ResNet(depth, in_channels, layers, width=width, deep_stem=deep_stem, output_stride=8)
    return CCNet(in_channels, encoder, width, recurrence, layers, deep_supervision=deep_supervision)


class CCNet(DilatedNet):
    """Reduction, attention, convolution; appended to the encoder's maps, and fused."""

    def __init__(
        self,
        in_channels: int,
        encoder: ResNet,
        width: int,
        recurrence: int,
        layers: Layers,
        *,
        deep_supervision: bool,
    ) -> None:
        super().__init__(in_channels, encoder, 8 * width, layers, deep_supervision=deep_supervision)
        last = encoder.channels[3]
        inner = 8 * width
        self.reduce = _conv_norm_leaky(last, inner, layers)
        self.attention = CrissCross(inner, layers, recurrence=recurrence)
        self.refine = _conv_norm_leaky(inner, inner, layers)
        self.fuse = nn.Sequential(
            *_conv_norm_leaky(last + inner, inner, layers), layers.dropout(DROPOUT)
        )
        initialise(self)

    def forward(self, x: Tensor) -> Features:
        """Return (B, 8 width, H/8, W/8), with deep supervision followed by stage 3."""
        *_, third, last = self.encoder(x)
        y = self.refine(self.attention(self.reduce(last)))
        y = self.fuse(torch.cat([last, y], 1))
        return (y, third) if self.deep_supervision else y


class CrissCross(nn.Module):
    """x + gamma * attention over the pixel's own row and column, `recurrence` times.

    One softmax runs over the H + W - 1 positions; queries and keys have 1/8 of the channels;
    gamma starts at 0, so that the block starts as the identity.
    """

    def __init__(self, channels: int, layers: Layers, *, recurrence: int = 2) -> None:
        super().__init__()
        inner = max(1, channels // REDUCTION)
        self.query = layers.conv(channels, inner, 1, bias=True)
        self.key = layers.conv(channels, inner, 1, bias=True)
        self.value = layers.conv(channels, channels, 1, bias=True)
        self.gamma = nn.Parameter(torch.zeros(1))
        self.recurrence = recurrence

    def forward(self, x: Tensor) -> Tensor:
        """Return the same shape."""
        for _ in range(self.recurrence):
            attended = criss_cross(self.query(x), self.key(x), self.value(x))
            x = x + self.gamma * attended
        return x


def criss_cross(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Return for each pixel the mean of `value` on its row and column, weighted by a softmax.

    All are (B, C, H, W); the weight of a position is exp(query . key) over the sum of the H + W - 1
    positions, the pixel itself counted once.
    """
    height = query.shape[2]
    column = torch.einsum("bchw,bcgw->bhwg", query, key)
    row = torch.einsum("bchw,bchv->bhwv", query, key)
    itself = torch.eye(height, dtype=torch.bool, device=query.device)[None, :, None, :]
    column = column.masked_fill(itself, -torch.inf)
    weights = torch.cat([column, row], 3).softmax(3)
    of_column, of_row = weights[..., :height], weights[..., height:]
    down = torch.einsum("bhwg,bcgw->bchw", of_column, value)
    return down + torch.einsum("bhwv,bchv->bchw", of_row, value)


def _conv_norm_leaky(inputs: int, outputs: int, layers: Layers) -> nn.Sequential:
    return nn.Sequential(
        layers.conv(inputs, outputs), layers.norm(outputs), nn.LeakyReLU(SLOPE, inplace=True)
    )
