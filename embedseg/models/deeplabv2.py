"""DeepLab-v2 (Chen et al., arXiv:1606.00915), in the two-level form of arXiv:1802.10349."""

from typing import Literal

import torch
from torch import Tensor, nn

from embedseg.models.backbone import Features
from embedseg.models.blocks import Layers, initialise
from embedseg.models.dilated import DilatedNet
from embedseg.models.heads import EnlargedHead, SideHeads
from embedseg.models.resnet import ResNet

DILATIONS = (6, 12, 18, 24)


def deeplabv2(
    *,
    in_channels: int = 3,
    depth: int = 101,
    width: int = 64,
    dilations: tuple[int, ...] = DILATIONS,
    deep_supervision: bool = False,
    norm: Literal["batch", "group"] = "batch",
) -> "DeepLabV2":
    """Return DeepLab-v2 over a plain-stemmed ResNet: its last stage at 1/8 are the features.

    The published head sums 3x3 convolutions of the `dilations`; `deep_supervision` puts a second
    one on stage 3. 44,601,560 parameters for depth 101 with 19 classes and both. The code of
    arXiv:1802.10349 returns within its loop, so that its networks use dilations 6 and 12 alone:
    dilations=(6, 12) gives what it trained.
    """
    if not dilations or min(dilations) < 1:
        raise ValueError(f"dilations must be >= 1, got {dilations}; the paper has {DILATIONS}")
    layers = Layers(2, norm)
    encoder = ResNet(depth, in_channels, layers, width=width, output_stride=8)
    return DeepLabV2(in_channels, encoder, dilations, layers, deep_supervision=deep_supervision)


class DeepLabV2(DilatedNet):
    """The dilated ResNet itself."""

    def __init__(
        self,
        in_channels: int,
        encoder: ResNet,
        dilations: tuple[int, ...],
        layers: Layers,
        *,
        deep_supervision: bool,
    ) -> None:
        super().__init__(
            in_channels, encoder, encoder.channels[3], layers, deep_supervision=deep_supervision
        )
        self.dilations = dilations
        initialise(self)

    def forward(self, x: Tensor) -> Features:
        """Return (B, out_channels, H/8, W/8), with deep supervision followed by stage 3."""
        *_, third, last = self.encoder(x)
        return (last, third) if self.deep_supervision else last

    def make_head(self, channels: int) -> nn.Module:
        """Return the sum of dilated convolutions enlarged x8, or two such heads."""
        inputs = [self.out_channels, self.side] if self.deep_supervision else [self.out_channels]
        heads = [
            EnlargedHead(DilatedSum(i, channels, self.dilations, self.layers), 8) for i in inputs
        ]
        return SideHeads(heads, average=False) if self.deep_supervision else heads[0]


class DilatedSum(nn.Module):
    """The sum of 3x3 convolutions of several dilations."""

    def __init__(
        self, inputs: int, channels: int, dilations: tuple[int, ...], layers: Layers
    ) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            layers.conv(inputs, channels, dilation=d, bias=True) for d in dilations
        )
        initialise(self, gain=1.0)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, channels, H, W)."""
        return torch.stack([branch(x) for branch in self.branches]).sum(0)
