"""BANet (Chen, Qi, Shen, arXiv:1901.03814): a boundary map as attention. Our best reading.

The paper's layer table is not public and there is no original code of the network, so that its
sizes here are a reading of the text and nothing can be compared with a published count.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from embedseg.models.backbone import Backbone, Features
from embedseg.models.bisenet import FeatureFusion
from embedseg.models.blocks import Layers, initialise, resize
from embedseg.models.heads import enlarged_head, kernel_head

STAGES = 3  # halvings of the semantic branch below 1/4


def banet(
    *,
    in_channels: int = 3,
    width: int = 64,
    border: bool = True,
    norm: Literal["batch", "group"] = "batch",
) -> "BANet":
    """Return BANet: `width` maps at 1/2 (62,146 parameters with one class).

    `border` gives its boundary map as "border_sides" (1, B, 1, H, W) in training: logits of the
    boundaries between instances (or classes), which deserve a loss of their own. Without it the map
    is learned from the other losses alone.
    """
    if width < 2:
        raise ValueError(f"width must be >= 2, got {width}; the paper has 64")
    return BANet(in_channels, width, Layers(2, norm), border=border)


class BANet(Backbone):
    """Semantic branch to a boundary map; image and map to boundary features; both fused.

    Semantic: 3x3 convolution of stride 4, three times (max pooling, bottleneck), their maps
    enlarged and added up to 1/4; a 3x3 convolution gives the map. Boundary: a 3x3 convolution of
    stride 2 over image and map. Fusion is BiSeNet's.
    """

    stride = 2
    divisor = 4 << STAGES

    def __init__(self, in_channels: int, width: int, layers: Layers, *, border: bool) -> None:
        super().__init__()
        self.layers, self.gives_border = layers, border
        self.in_channels, self.out_channels = in_channels, width
        self.stem = layers.conv_norm_act(in_channels, width, stride=4)
        self.pool = layers.pool()
        self.stages = nn.ModuleList(Bottleneck(width, layers) for _ in range(STAGES))
        self.boundary = kernel_head(width, 1, 3, layers)
        self.mine = layers.conv_norm_act(in_channels + 1, width, stride=2)
        self.fuse = FeatureFusion(2 * width, width, layers)
        for part in (self.stem, self.stages, self.mine, self.fuse):
            initialise(part)

    def forward(self, x: Tensor) -> Features:
        """Return (B, width, H/2, W/2), with `border` followed by the map's logits (B, 1, H, W)."""
        maps = [self.stem(x)]
        for stage in self.stages:
            maps.append(stage(self.pool(maps[-1])))
        y = maps.pop()
        while maps:
            finer = maps.pop()
            y = finer + resize(y, finer.shape[2:])
        logits = resize(self.boundary(y), x.shape[2:])
        fine = self.mine(torch.cat([x, torch.sigmoid(logits)], 1))
        y = self.fuse(torch.cat([resize(y, fine.shape[2:]), fine], 1))
        return (y, logits) if self.gives_border else y

    def make_head(self, channels: int) -> nn.Module:
        """Return the 1x1 convolution, enlarged x2."""
        return enlarged_head(self.out_channels, channels, self.stride, self.layers, bias=True)

    def auxiliary(self, features: Features) -> dict[str, Tensor]:
        """Return the boundary logits "border_sides" (1, B, 1, H, W)."""
        return {"border_sides": features[1][None]} if self.gives_border else {}


class Bottleneck(nn.Module):
    """ReLU(x + 1x1, 3x3, 1x1 convolutions at half of the channels)."""

    def __init__(self, channels: int, layers: Layers) -> None:
        super().__init__()
        half = channels // 2
        self.steps = nn.Sequential(
            *layers.conv_norm_act(channels, half, 1),
            *layers.conv_norm_act(half, half),
            layers.conv(half, channels, 1),
            layers.norm(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the same shape."""
        return torch.relu(x + self.steps(x))
