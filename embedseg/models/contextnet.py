"""ContextNet (Poudel, Bonde, Liwicki, Zach, arXiv:1805.04554)."""

from typing import Literal

from torch import Tensor, nn
from torch.nn import functional

from embedseg.models.backbone import Backbone, Decoder
from embedseg.models.blocks import Layers, initialise
from embedseg.models.fast_scnn import DROPOUT, Fusion, inverted_stages, separable, unpadded
from embedseg.models.heads import enlarged_head

SHALLOW = (32, 64, 128)  # channels at 1/2, 1/4, 1/8
DEEP = 32  # channels of the first convolution on the image at 1/4
STAGES = (  # expansion, channels, blocks, stride
    (1, 32, 1, 1),
    (6, 32, 1, 1),
    (6, 48, 3, 2),
    (6, 64, 3, 2),
    (6, 96, 2, 1),
    (6, 128, 2, 1),
)
REDUCTION = 4  # of the image for the deep branch


def contextnet(*, in_channels: int = 3, norm: Literal["batch", "group"] = "batch") -> "ContextNet":
    """Return ContextNet: 128 maps at 1/8 (876,563 parameters with 19 classes)."""
    return ContextNet(in_channels, Layers(2, norm))


class ContextNet(Backbone):
    """A shallow branch at full size and a deep one on the image at 1/4, fused at 1/8."""

    out_channels = SHALLOW[-1]
    stride = 8
    divisor = 32
    default_decoder: Decoder = "learned"

    def __init__(self, in_channels: int, layers: Layers) -> None:
        super().__init__()
        self.layers = layers
        self.in_channels = in_channels
        width = self.out_channels
        self.shallow = nn.Sequential(
            unpadded(in_channels, SHALLOW[0], layers),
            *separable(SHALLOW[0], SHALLOW[1], layers, stride=2),
            *separable(SHALLOW[1], width, layers, stride=2),
            *separable(width, width, layers),
        )
        self.deep = nn.Sequential(
            unpadded(in_channels, DEEP, layers), *inverted_stages(DEEP, STAGES, layers)
        )
        self.fuse = Fusion(width, width, layers)
        self.last = nn.Sequential(
            *separable(width, width, layers), *separable(width, width, layers)
        )
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, 128, H/8, W/8)."""
        small = functional.interpolate(x, scale_factor=1 / REDUCTION, mode="bilinear")
        x = self.last(self.fuse(self.shallow(x), self.deep(small)))
        return x

    def make_head(self, channels: int) -> nn.Module:
        """Return dropout and the 1x1 convolution, enlarged x8."""
        return enlarged_head(
            self.out_channels, channels, self.stride, self.layers, bias=True, dropout=DROPOUT
        )
