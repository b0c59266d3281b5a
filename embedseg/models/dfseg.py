"""DF-Seg (Li et al., "Partial order pruning", arXiv:1903.03777): searched backbones V1 and V2."""

from typing import Literal

import torch
from torch import Tensor, nn

from embedseg.models.backbone import Backbone, Decoder
from embedseg.models.blocks import Layers, initialise, resize
from embedseg.models.heads import auxiliary_head
from embedseg.models.pspnet import PyramidPooling
from embedseg.models.resnet import BasicBlock
from embedseg.names import unknown

# channels in units of `width`, blocks, stride; three groups whose results the decoder reads
Stage = tuple[int, int, int]
VERSIONS: dict[str, tuple[tuple[Stage, ...], ...]] = {
    "v1": (((1, 3, 2), (2, 3, 2)), ((4, 3, 2),), ((8, 1, 1),)),
    "v2": (((1, 2, 2), (2, 1, 1)), ((2, 10, 2), (4, 1, 1)), ((4, 4, 2), (8, 2, 1))),
}


def dfseg(
    *,
    in_channels: int = 3,
    version: Literal["v1", "v2"] = "v2",
    width: int = 64,
    norm: Literal["batch", "group"] = "batch",
) -> "DFSeg":
    """Return DF-Seg: 2 * width maps at 1/8, in version "v1" at 1/16.

    18,674,739 (v2) and 9,220,659 (v1) parameters with 19 classes. With batch norm it trains on two
    images or more at a time.
    """
    if version not in VERSIONS:
        raise unknown("version", version, VERSIONS)
    if width < 2:
        raise ValueError(f"width must be >= 2, got {width}; published: 64")
    return DFSeg(in_channels, VERSIONS[version], width, Layers(2, norm))


class DFSeg(Backbone):
    """Residual stages; pyramid pooling of the last; the other two are appended on the way up."""

    divisor = 32
    default_decoder: Decoder = "learned"

    def __init__(
        self,
        in_channels: int,
        groups: tuple[tuple[Stage, ...], ...],
        width: int,
        layers: Layers,
    ) -> None:
        super().__init__()
        self.layers = layers
        outputs = 2 * width
        self.in_channels, self.out_channels = in_channels, outputs
        half = width // 2
        self.stem = nn.Sequential(
            *layers.conv_norm_act(in_channels, half, stride=2),
            *layers.conv_norm_act(half, width, stride=2),
        )
        self.stride, inputs, stages, channels = 4, width, [], []
        for k, group in enumerate(groups):
            blocks = []
            for units, count, stride in group:
                for n in range(count):
                    step = stride if n == 0 else 1
                    blocks.append(BasicBlock(inputs, units * width, step, 1, layers))
                    inputs = units * width
                self.stride *= stride if k == 0 else 1
            stages.append(nn.Sequential(*blocks))
            channels.append(inputs)
        self.stages = nn.ModuleList(stages)
        self.context = PyramidPooling(inputs, outputs, layers, kernel=1)
        self.laterals = nn.ModuleList(
            layers.conv(c, outputs, 1, bias=True) for c in (outputs, channels[1], channels[0])
        )
        self.fuse = nn.ModuleList(layers.conv(2 * outputs, outputs) for _ in range(2))
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, 2 width, H / stride, W / stride)."""
        x = self.stem(x)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        fine, middle, last = maps
        x = self.laterals[0](self.context(last))
        for fuse, lateral, skip in zip(self.fuse, self.laterals[1:], (middle, fine), strict=True):
            skip = lateral(skip)
            x = fuse(torch.cat([resize(x, skip.shape[2:]), skip], 1))
        return x

    def make_head(self, channels: int) -> nn.Module:
        """Return 3x3 convolution, norm, ReLU, dropout, 1x1 convolution, enlarged."""
        return auxiliary_head(
            self.out_channels, self.out_channels, channels, self.stride, self.layers
        )
