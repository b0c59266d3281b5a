"""Basenet, the plain reference network of a public collection of light networks (no paper).

It is the "Basenet" of github.com/xiaoyufenfei/Real-Time-Semantic-Segmentation.
"""

from typing import Literal

from torch import Tensor, nn

from embedseg.models.backbone import Backbone, Decoder
from embedseg.models.blocks import Layers, initialise

EPS = 1e-3  # of every norm
STEM, MIDDLE, WIDE = 16, 64, 128  # channels at 1/2, 1/4, 1/8
COUNTS = (5, 8, 2)  # convolutions at 1/4, 1/8 and, on the way up, 1/4


def basenet(*, in_channels: int = 3, norm: Literal["batch", "group"] = "batch") -> "Basenet":
    """Return Basenet: 64 maps at 1/4 (1,598,079 parameters with 19 classes).

    Its published last layers work in class space and end with a norm and a PReLU.
    """
    return Basenet(in_channels, Layers(2, norm, eps=EPS))


class Basenet(Backbone):
    """3x3 convolutions down to 1/8, a 2x2 transposed one back to 1/4; no skips."""

    out_channels = MIDDLE
    stride = 4
    divisor = 8
    default_decoder: Decoder = "learned"

    def __init__(self, in_channels: int, layers: Layers) -> None:
        super().__init__()
        self.layers = layers
        self.in_channels = in_channels
        at_quarter, at_eighth, back = COUNTS
        self.steps = nn.Sequential(
            layers.conv_norm_prelu(in_channels, STEM, stride=2),
            layers.conv_norm_prelu(STEM, MIDDLE, stride=2),
            *(layers.conv_norm_prelu(MIDDLE, MIDDLE) for _ in range(at_quarter)),
            layers.conv_norm_prelu(MIDDLE, WIDE, stride=2),
            *(layers.conv_norm_prelu(WIDE, WIDE) for _ in range(at_eighth)),
            *_up(WIDE, MIDDLE, layers),
            *(layers.conv_norm_prelu(MIDDLE, MIDDLE) for _ in range(back)),
        )
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, 64, H/4, W/4)."""
        x = self.steps(x)
        return x

    def make_head(self, channels: int) -> nn.Module:
        """Return two transposed convolutions through twice as many maps as outputs."""
        head = nn.Sequential(
            *_up(MIDDLE, 2 * channels, self.layers),
            self.layers.conv_norm_prelu(2 * channels, 2 * channels),
            self.layers.conv_norm_prelu(2 * channels, 2 * channels),
            *_up(2 * channels, channels, self.layers),
        )
        initialise(head)
        return head


def _up(inputs: int, outputs: int, layers: Layers) -> list[nn.Module]:
    return [layers.up(inputs, outputs, bias=False), layers.norm_prelu(outputs)]
