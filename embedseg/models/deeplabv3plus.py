"""DeepLabv3+ (Chen et al., arXiv:1802.02611) over a dilated ResNet."""

from typing import Literal

import torch
from torch import Tensor, nn

from embedseg.models.backbone import Backbone, Decoder
from embedseg.models.blocks import Layers, initialise, resize
from embedseg.models.heads import enlarged_head
from embedseg.models.resnet import ResNet

RATES = {16: (6, 12, 18), 8: (12, 24, 36)}  # dilations by the encoder's stride
DROPOUT = 0.1


def deeplabv3plus(
    *,
    in_channels: int = 3,
    depth: int = 50,
    width: int = 64,
    encoder_stride: int = 16,
    norm: Literal["batch", "group"] = "batch",
) -> "DeepLabV3Plus":
    """Return DeepLabv3+: 4 * width maps at 1/4.

    The paper's decoder with plain 3x3 convolutions; the counts in our tests are our own, for want
    of one reference implementation. With batch norm it trains on two images or more at a time.
    """
    if encoder_stride not in RATES:
        raise ValueError(f"encoder_stride must be 8 or 16, got {encoder_stride}")
    layers = Layers(2, norm)
    encoder = ResNet(depth, in_channels, layers, width=width, output_stride=encoder_stride)
    return DeepLabV3Plus(in_channels, encoder, width, RATES[encoder_stride], layers)


class DeepLabV3Plus(Backbone):
    """Parallel dilated convolutions and the image's mean; joined with stage 1 at 1/4."""

    stride = 4
    divisor = 16
    default_decoder: Decoder = "learned"

    def __init__(
        self,
        in_channels: int,
        encoder: ResNet,
        width: int,
        rates: tuple[int, ...],
        layers: Layers,
    ) -> None:
        super().__init__()
        self.layers = layers
        outputs = 4 * width
        self.in_channels, self.out_channels = in_channels, outputs
        fine, *_, last = encoder.channels
        few = max(1, 3 * width // 4)  # 48 of the fine maps, at width 64
        self.encoder = encoder
        self.branches = nn.ModuleList(
            [
                layers.conv_norm_act(last, outputs, 1),
                *(layers.conv_norm_act(last, outputs, dilation=r) for r in rates),
            ]
        )
        self.globally = layers.conv_norm_act(last, outputs, 1)
        self.project = nn.Sequential(
            *layers.conv_norm_act((len(rates) + 2) * outputs, outputs, 1), layers.dropout(DROPOUT)
        )
        self.of_fine = layers.conv_norm_act(fine, few, 1)
        self.merge = nn.Sequential(
            *layers.conv_norm_act(outputs + few, outputs), *layers.conv_norm_act(outputs, outputs)
        )
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, 4 width, H/4, W/4)."""
        _, fine, *_, last = self.encoder(x)
        mean = self.globally(last.mean((2, 3), keepdim=True))
        parts = [*(branch(last) for branch in self.branches), resize(mean, last.shape[2:])]
        coarse = resize(self.project(torch.cat(parts, 1)), fine.shape[2:])
        x = self.merge(torch.cat([coarse, self.of_fine(fine)], 1))
        return x

    def make_head(self, channels: int) -> nn.Module:
        """Return the 1x1 convolution, enlarged x4."""
        return enlarged_head(self.out_channels, channels, self.stride, self.layers, bias=True)
