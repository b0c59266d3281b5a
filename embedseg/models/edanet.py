"""EDANet (Lo et al., arXiv:1809.06323): dense blocks of asymmetric convolutions."""

from typing import Literal

import torch
from torch import Tensor, nn

from embedseg.models.backbone import Backbone, Decoder
from embedseg.models.blocks import Layers, initialise
from embedseg.models.erfnet import Down
from embedseg.models.heads import enlarged_head

FIRST_MAPS = 12  # of the first convolution; the pooled input is appended to them
GROWTH = 40  # maps that every module appends
DROPOUT = 0.02
DILATIONS = ((1, 1, 1, 2, 2), (2, 2, 4, 4, 8, 8, 16, 16))  # of the blocks at 1/4, 1/8


def edanet(
    *, in_channels: int = 3, growth: int = GROWTH, norm: Literal["batch", "group"] = "batch"
) -> "EDANet":
    """Return EDANet: 450 maps at 1/8 (689,485 parameters with 19 classes)."""
    if growth < 1:
        raise ValueError(f"growth must be >= 1, got {growth}; the paper has {GROWTH}")
    return EDANet(in_channels, growth, Layers(2, norm))


class EDANet(Backbone):
    """Two dense blocks, each after a halving."""

    stride = 8
    divisor = 8
    default_decoder: Decoder = "learned"

    def __init__(self, in_channels: int, growth: int, layers: Layers) -> None:
        super().__init__()
        self.layers = layers
        self.in_channels = in_channels
        first = FIRST_MAPS + in_channels
        second = max(60, first + 1)
        dense = second + growth * len(DILATIONS[0])
        third = dense // 2
        self.steps = nn.Sequential(
            Down(in_channels, first, layers),
            Down(first, second, layers),
            *(Dense(second + k * growth, growth, d, layers) for k, d in enumerate(DILATIONS[0])),
            Down(dense, third, layers),
            *(Dense(third + k * growth, growth, d, layers) for k, d in enumerate(DILATIONS[1])),
        )
        self.out_channels = third + growth * len(DILATIONS[1])
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, out_channels, H/8, W/8)."""
        x = self.steps(x)
        return x

    def make_head(self, channels: int) -> nn.Module:
        """Return the 1x1 convolution, enlarged x8."""
        return enlarged_head(self.out_channels, channels, self.stride, self.layers, bias=True)


class Dense(nn.Module):
    """Appends `growth` maps: 1x1, a 3x1-1x3 pair, a dilated pair; norm and ReLU after each."""

    def __init__(self, inputs: int, growth: int, dilation: int, layers: Layers) -> None:
        super().__init__()
        steps: list[nn.Module] = [*layers.conv_norm_act(inputs, growth, 1, bias=True)]
        for d in (1, dilation):
            steps.append(layers.conv(growth, growth, (3, 1), dilation=d, bias=True))
            steps += layers.conv_norm_act(growth, growth, (1, 3), dilation=d, bias=True)
        self.steps = nn.Sequential(*steps, layers.dropout(DROPOUT))

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, inputs + growth, H, W)."""
        return torch.cat([self.steps(x), x], 1)
