"""LaneNet (Neven, De Brabandere, Georgoulis, Proesmans, Van Gool, arXiv:1802.05591)."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from embedseg.models.backbone import Backbone, Features
from embedseg.models.blocks import Layers
from embedseg.models.enet import ENet
from embedseg.models.heads import first, published_up


def lanenet(*, in_channels: int = 3, norm: Literal["batch", "group"] = "batch") -> "LaneNet":
    """Return ENet whose stages 1 and 2 are shared and whose stage 3 and decoder exist twice.

    One branch ends in the embedding (and the seed), the other in the foreground. Features of each
    are those of `enet`.
    """
    return LaneNet(in_channels, Layers(2, norm))


class LaneNet(Backbone):
    """Two ENets with one encoder up to stage 2; the decoders unpool with its indices."""

    divisor = 8
    stride = 2
    head_branches: Mapping[str, int] = MappingProxyType({"embedding": 0, "seed": 0, "semantic": 1})

    def __init__(self, in_channels: int, layers: Layers) -> None:
        super().__init__()
        self.layers = layers
        self.in_channels = in_channels
        whole, other = ENet(in_channels, layers), ENet(in_channels, layers)
        self.out_channels = whole.out_channels
        self.first, self.first_norm, self.first_act = whole.first, whole.first_norm, whole.first_act
        self.down1, self.stage1 = whole.down1, whole.stage1
        self.down2, self.stage2 = whole.down2, whole.stage2
        self.ends = nn.ModuleList([End(whole), End(other)])

    def forward(self, x: Tensor) -> Features:
        """Return (B, out_channels, H/2, W/2) of the embedding's branch and of the foreground's."""
        x = torch.cat([self.first(x), functional.max_pool2d(x, 2)], 1)
        x = self.first_act(self.first_norm(x))
        x, places1 = self.down1(x)
        x, places2 = self.down2(self.stage1(x))
        x = self.stage2(x)
        return tuple(end(x, places1, places2) for end in self.ends)

    def make_head(self, channels: int) -> nn.Module:
        """Return the 3x3 transposed convolution to full resolution, of one branch."""
        return BranchHead(published_up(self.out_channels, channels, self.layers, bias=False))


class End(nn.Module):
    """Stages 3 to 5 of an ENet."""

    def __init__(self, net: ENet) -> None:
        super().__init__()
        self.stage3, self.up4, self.stage4 = net.stage3, net.up4, net.stage4
        self.up5, self.stage5 = net.up5, net.stage5

    def forward(self, x: Tensor, places1: Tensor, places2: Tensor) -> Tensor:
        """Return the maps at half resolution from stage 2 and the places of its maxima."""
        x = self.stage4(self.up4(self.stage3(x), places2))
        x = self.stage5(self.up5(x, places1))
        return x


class BranchHead(nn.Module):
    """The last layer of one branch; given all of them, it reads the first."""

    def __init__(self, last: nn.Module) -> None:
        super().__init__()
        self.last = last

    def forward(self, features: Features) -> Tensor:
        """Return (B, channels, H, W)."""
        x = self.last(first(features))
        return torch.as_tensor(x)
