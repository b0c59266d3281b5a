"""SegNet (Badrinarayanan, Kendall, Cipolla, arXiv:1511.00561): VGG-16 and unpooling."""

from typing import Literal

from torch import Tensor, nn
from torch.nn import functional

from embedseg.models.backbone import Backbone
from embedseg.models.blocks import Layers, initialise, unpool
from embedseg.models.heads import kernel_head

# channels of the convolutions per level, in units of `width`; the decoder mirrors them
ENCODER = ((1, 1), (2, 2), (4, 4, 4), (8, 8, 8), (8, 8, 8))
DECODER = ((8, 8, 8), (8, 8, 4), (4, 4, 2), (2, 1), (1,))


def segnet(
    *, in_channels: int = 3, width: int = 64, norm: Literal["batch", "group"] = "batch"
) -> "SegNet":
    """Return SegNet: `width` maps at full resolution (29,453,971 parameters with 19 classes)."""
    if width < 1:
        raise ValueError(f"width must be >= 1, got {width}; the paper has 64")
    return SegNet(in_channels, width, Layers(2, norm))


class SegNet(Backbone):
    """The decoder puts values back to where the encoder's maxima stood; no skips otherwise."""

    stride = 1
    divisor = 32

    def __init__(self, in_channels: int, width: int, layers: Layers) -> None:
        super().__init__()
        self.layers = layers
        self.in_channels, self.out_channels = in_channels, width
        inputs = in_channels
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for target, table in ((self.down, ENCODER), (self.up, DECODER)):
            for units in table:
                steps: list[nn.Module] = []
                for unit in units:
                    steps += layers.conv_norm_act(inputs, unit * width, bias=True)
                    inputs = unit * width
                target.append(nn.Sequential(*steps))
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, width, H, W)."""
        places: list[Tensor] = []
        for block in self.down:
            x, place = functional.max_pool2d(block(x), 2, return_indices=True)
            places.append(place)
        for block, place in zip(self.up, places[::-1], strict=True):
            x = block(unpool(x, place))
        return x

    def make_head(self, channels: int) -> nn.Module:
        """Return the 3x3 convolution."""
        return kernel_head(self.out_channels, channels, 3, self.layers)
