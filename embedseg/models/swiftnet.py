"""SwiftNet (Orsic, Kreso, Bevandic, Segvic, arXiv:1903.08469): ResNet-18 and a ladder to 1/4."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from embedseg.models.backbone import Backbone, Decoder
from embedseg.models.blocks import Layers, initialise, resize
from embedseg.models.heads import EnlargedHead, pointwise_head
from embedseg.models.resnet import BasicBlock, ResNet

GRIDS = (8, 4, 2)  # cells along the height; along the width in proportion


def swiftnet(
    *, in_channels: int = 3, width: int = 64, norm: Literal["batch", "group"] = "batch"
) -> "SwiftNet":
    """Return SwiftNet over ResNet-18: 2 * width maps at 1/4 (11,797,071 parameters, 19 classes)."""
    return SwiftNet(in_channels, width, Layers(2, norm))


class SwiftNet(Backbone):
    """Laterals leave the stages before their last ReLU; every convolution follows norm and ReLU."""

    stride = 4
    divisor = 32
    default_decoder: Decoder = "learned"

    def __init__(self, in_channels: int, width: int, layers: Layers) -> None:
        super().__init__()
        self.layers = layers
        self.in_channels, self.out_channels = in_channels, 2 * width
        outputs = 2 * width
        self.encoder = ResNet(18, in_channels, layers, width=width)
        *skips, last = self.encoder.channels
        self.context = SpatialPyramid(last, outputs, layers)
        self.laterals = nn.ModuleList(before(c, outputs, 1, layers) for c in skips[::-1])
        self.blends = nn.ModuleList(before(outputs, outputs, 3, layers) for _ in skips)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, 2 width, H/4, W/4)."""
        net = self.encoder
        x = net.maxpool(net.stem(x))
        skips = []
        for k in range(1, 5):
            *blocks, final = net.get_submodule(f"layer{k}").children()
            for block in blocks:
                x = block(x)
            skip = _without_relu(final, x)
            skips.append(skip)
            x = torch.relu(skip)
        *laterals, last = skips
        x = self.context(last)
        for lateral, blend, skip in zip(self.laterals, self.blends, laterals[::-1], strict=True):
            x = blend(resize(x, skip.shape[2:]) + lateral(skip))
        return x

    def make_head(self, channels: int) -> nn.Module:
        """Return norm, ReLU, 1x1 convolution, enlarged x4."""
        last = pointwise_head(self.out_channels, channels, self.layers)
        steps = nn.Sequential(self.layers.norm(self.out_channels), nn.ReLU(), last)
        return EnlargedHead(steps, self.stride)


class SpatialPyramid(nn.Module):
    """Appends means over grids of cells with the image's aspect ratio; 1x1 convolutions around."""

    def __init__(self, inputs: int, outputs: int, layers: Layers) -> None:
        super().__init__()
        inner = max(1, outputs // len(GRIDS))
        self.first = before(inputs, outputs, 1, layers)
        self.branches = nn.ModuleList(before(outputs, inner, 1, layers) for _ in GRIDS)
        self.fuse = before(outputs + inner * len(GRIDS), outputs, 1, layers)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, outputs, H, W)."""
        x = self.first(x)
        height, width = x.shape[2:]
        parts = [x]
        for rows, branch in zip(GRIDS, self.branches, strict=True):
            columns = max(1, round(width / height * rows))
            cells = functional.adaptive_avg_pool2d(x, (rows, columns))
            parts.append(resize(branch(cells), (height, width)))
        x = self.fuse(torch.cat(parts, 1))
        return x


def before(inputs: int, outputs: int, kernel: int, layers: Layers) -> nn.Sequential:
    """Return norm, ReLU, convolution."""
    return nn.Sequential(layers.norm(inputs), nn.ReLU(), layers.conv(inputs, outputs, kernel))


def _without_relu(block: nn.Module, x: Tensor) -> Tensor:
    if not isinstance(block, BasicBlock):
        raise TypeError(f"SwiftNet needs basic blocks, got {type(block).__name__}")
    y: Tensor = block.residual(x)
    return y
