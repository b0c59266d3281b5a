"""Fast-SCNN (Poudel, Liwicki, Cipolla, arXiv:1902.04502)."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from embedseg.models.backbone import Backbone, Decoder
from embedseg.models.blocks import Layers, initialise, resize
from embedseg.models.heads import enlarged_head

STEM = (32, 48, 64)  # channels at 1/2, 1/4, 1/8
STAGES = ((6, 64, 3, 2), (6, 96, 3, 2), (6, 128, 3, 1))  # expansion, channels, blocks, stride
GRIDS = (1, 2, 3, 6)  # cells per side of the pyramid pooling
WIDTH = 128
DROPOUT = 0.1


def fast_scnn(*, in_channels: int = 3, norm: Literal["batch", "group"] = "batch") -> "FastSCNN":
    """Return Fast-SCNN: 128 maps at 1/8 (1,138,051 parameters with 19 classes).

    With batch norm it trains on two images or more at a time: the pyramid's coarsest cell is a
    single value per image.
    """
    return FastSCNN(in_channels, Layers(2, norm))


class FastSCNN(Backbone):
    """A short way down to 1/8; from there global features at 1/32, which are added back."""

    out_channels = WIDTH
    stride = 8
    divisor = 32
    default_decoder: Decoder = "learned"

    def __init__(self, in_channels: int, layers: Layers) -> None:
        super().__init__()
        self.layers = layers
        self.in_channels = in_channels
        self.shallow = nn.Sequential(
            unpadded(in_channels, STEM[0], layers),
            *separable(STEM[0], STEM[1], layers, stride=2),
            *separable(STEM[1], STEM[2], layers, stride=2),
        )
        self.deep = nn.Sequential(
            *inverted_stages(STEM[2], STAGES, layers), PyramidPooling(WIDTH, layers)
        )
        self.fuse = Fusion(STEM[2], WIDTH, layers)
        self.last = nn.Sequential(
            *separable(WIDTH, WIDTH, layers), *separable(WIDTH, WIDTH, layers)
        )
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, 128, H/8, W/8)."""
        fine = self.shallow(x)
        x = self.last(self.fuse(fine, self.deep(fine)))
        return x

    def make_head(self, channels: int) -> nn.Module:
        """Return dropout and the 1x1 convolution, enlarged x8."""
        return enlarged_head(
            self.out_channels, channels, self.stride, self.layers, bias=True, dropout=DROPOUT
        )


def unpadded(inputs: int, outputs: int, layers: Layers) -> nn.Sequential:
    """Return a strided 3x3 convolution without padding, norm, ReLU."""
    conv = layers.conv(inputs, outputs, stride=2, padding=0)
    return nn.Sequential(conv, layers.norm(outputs), nn.ReLU(inplace=True))


def separable(inputs: int, outputs: int, layers: Layers, *, stride: int = 1) -> nn.Sequential:
    """Return depthwise 3x3 and 1x1 convolutions, norm and ReLU after each."""
    return nn.Sequential(
        *layers.conv_norm_act(inputs, inputs, stride=stride, groups=inputs),
        *layers.conv_norm_act(inputs, outputs, 1),
    )


def inverted_stages(
    inputs: int, stages: tuple[tuple[int, int, int, int], ...], layers: Layers
) -> list[nn.Module]:
    """Return the inverted residuals of (expansion, channels, blocks, stride of the first)."""
    blocks: list[nn.Module] = []
    for expansion, outputs, count, stride in stages:
        for k in range(count):
            step = stride if k == 0 else 1
            blocks.append(InvertedResidual(inputs, outputs, expansion, step, layers))
            inputs = outputs
    return blocks


class InvertedResidual(nn.Module):
    """1x1 expansion, depthwise 3x3, 1x1 projection with norms, ReLU after the first two.

    The input is added where the shape allows it (arXiv:1801.04381).
    """

    def __init__(
        self, inputs: int, outputs: int, expansion: int, stride: int, layers: Layers
    ) -> None:
        super().__init__()
        wide = inputs * expansion
        self.adds = stride == 1 and inputs == outputs
        self.steps = nn.Sequential(
            *layers.conv_norm_act(inputs, wide, 1),
            *layers.conv_norm_act(wide, wide, stride=stride, groups=wide),
            layers.conv(wide, outputs, 1),
            layers.norm(outputs),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return maps at 1/stride."""
        y: Tensor = self.steps(x)
        return x + y if self.adds else y


class PyramidPooling(nn.Module):
    """Appends means over grids of cells, each through a 1x1 convolution; a last one fuses all."""

    def __init__(self, channels: int, layers: Layers) -> None:
        super().__init__()
        inner = channels // len(GRIDS)
        self.branches = nn.ModuleList(layers.conv_norm_act(channels, inner, 1) for _ in GRIDS)
        self.fuse = layers.conv_norm_act(channels + inner * len(GRIDS), channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the same shape."""
        parts = [x]
        for grid, branch in zip(GRIDS, self.branches, strict=True):
            parts.append(resize(branch(functional.adaptive_avg_pool2d(x, grid)), x.shape[2:]))
        x = self.fuse(torch.cat(parts, 1))
        return x


class Fusion(nn.Module):
    """ReLU(1x1 of the fine maps + 1x1 of a depthwise 3x3 of the enlarged coarse ones)."""

    def __init__(self, fine: int, coarse: int, layers: Layers) -> None:
        super().__init__()
        self.of_coarse = nn.Sequential(
            *layers.conv_norm_act(coarse, coarse, groups=coarse),
            layers.conv(coarse, coarse, 1, bias=True),
            layers.norm(coarse),
        )
        self.of_fine = nn.Sequential(layers.conv(fine, coarse, 1, bias=True), layers.norm(coarse))

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        """Return maps of the fine size."""
        coarse = self.of_coarse(resize(coarse, fine.shape[2:]))
        return torch.relu(self.of_fine(fine) + coarse)
