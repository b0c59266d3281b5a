"""PSPNet (Zhao et al., arXiv:1612.01105): pyramid pooling over a dilated ResNet."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from embedseg.models.backbone import Features
from embedseg.models.blocks import Layers, initialise, resize
from embedseg.models.dilated import DilatedNet
from embedseg.models.resnet import ResNet

GRIDS = (1, 2, 3, 6)  # cells per side
DROPOUT = 0.1


def pspnet(
    *,
    in_channels: int = 3,
    depth: int = 50,
    width: int = 64,
    deep_supervision: bool = False,
    deep_stem: bool = True,
    norm: Literal["batch", "group"] = "batch",
) -> "PSPNet":
    """Return PSPNet: 8 * width maps at 1/8; with `deep_supervision` a second head on stage 3.

    51,445,222 parameters for depth 50 with 19 classes and both heads. With batch norm it trains
    on two images or more at a time.

    `deep_stem=False` begins with one 7x7 convolution, as the weights of torchvision do.
    """
    layers = Layers(2, norm)
    encoder = ResNet(depth, in_channels, layers, width=width, deep_stem=deep_stem, output_stride=8)
    return PSPNet(in_channels, encoder, 8 * width, layers, deep_supervision=deep_supervision)


class PSPNet(DilatedNet):
    """A deep-stemmed ResNet at 1/8, then `PyramidPooling`."""

    def __init__(
        self,
        in_channels: int,
        encoder: ResNet,
        outputs: int,
        layers: Layers,
        *,
        deep_supervision: bool,
    ) -> None:
        super().__init__(in_channels, encoder, outputs, layers, deep_supervision=deep_supervision)
        self.context = PyramidPooling(encoder.channels[3], outputs, layers)
        initialise(self)

    def forward(self, x: Tensor) -> Features:
        """Return (B, out_channels, H/8, W/8), with deep supervision followed by stage 3."""
        *_, third, last = self.encoder(x)
        y: Tensor = self.context(last)
        return (y, third) if self.deep_supervision else y


class PyramidPooling(nn.Module):
    """Appends means over grids of cells, each through a 1x1 convolution and norm; one fuses all.

    The fusing convolution has the size `kernel`, then norm, ReLU, dropout.
    """

    def __init__(self, inputs: int, outputs: int, layers: Layers, *, kernel: int = 3) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(layers.conv(inputs, outputs, 1), layers.norm(outputs)) for _ in GRIDS
        )
        total = inputs + len(GRIDS) * outputs
        self.fuse = nn.Sequential(
            *layers.conv_norm_act(total, outputs, kernel), layers.dropout(DROPOUT)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, outputs, H, W)."""
        size = x.shape[2:]
        parts = [
            resize(branch(functional.adaptive_avg_pool2d(x, grid)), size)
            for grid, branch in zip(GRIDS, self.branches, strict=True)
        ]
        x = self.fuse(torch.cat([*parts, x], 1))
        return x
