"""LinkNet (Chaurasia, Culurciello, arXiv:1707.03718): ResNet-18 with a light decoder."""

from typing import Literal

from torch import Tensor, nn

from embedseg.models.backbone import Backbone
from embedseg.models.blocks import Layers, initialise
from embedseg.models.heads import transposed_head
from embedseg.models.resnet import ResNet

REDUCTION = 4  # of the channels inside a decoder block


def linknet(
    *, in_channels: int = 3, width: int = 64, norm: Literal["batch", "group"] = "batch"
) -> "LinkNet":
    """Return LinkNet: width / 2 maps at half resolution (11,535,699 parameters, 19 classes)."""
    if width < REDUCTION or width % REDUCTION:
        raise ValueError(f"width must be a multiple of {REDUCTION}, got {width}")
    return LinkNet(in_channels, width, Layers(2, norm))


class LinkNet(Backbone):
    """Each decoder block's output is added to the encoder's map of the same size."""

    stride = 2
    divisor = 32

    def __init__(self, in_channels: int, width: int, layers: Layers) -> None:
        super().__init__()
        self.layers = layers
        self.in_channels, self.out_channels = in_channels, width // 2
        self.encoder = ResNet(18, in_channels, layers, width=width)
        inputs = [8 * width, 4 * width, 2 * width, width]
        outputs = [4 * width, 2 * width, width, width]
        strides = [2, 2, 2, 1]
        self.decoder = nn.ModuleList(
            _decoder(i, o, s, layers) for i, o, s in zip(inputs, outputs, strides, strict=True)
        )
        half = width // 2
        self.last = nn.Sequential(
            layers.up(width, half, 3, padding=1, output_padding=1),
            layers.norm(half),
            nn.ReLU(inplace=True),
            *layers.conv_norm_act(half, half, bias=True),
        )
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, out_channels, H/2, W/2)."""
        *links, x = self.encoder(x)
        for block, link in zip(self.decoder, links[::-1], strict=True):
            x = link + block(x)
        x = self.last(x)
        return x

    def make_head(self, channels: int) -> nn.Module:
        """Return the 2x2 transposed convolution to full resolution."""
        return transposed_head(self.out_channels, channels, 2, self.layers)


def _decoder(inputs: int, outputs: int, stride: int, layers: Layers) -> nn.Sequential:
    inner = inputs // REDUCTION
    up = layers.up(inner, inner, 3, padding=1, output_padding=stride - 1, bias=False, stride=stride)
    return nn.Sequential(
        *layers.conv_norm_act(inputs, inner, 1),
        up,
        layers.norm(inner),
        nn.ReLU(inplace=True),
        *layers.conv_norm_act(inner, outputs, 1),
    )
