"""DFN (Yu et al., arXiv:1804.09337): a smooth and a border network over a ResNet."""

from typing import Literal

import torch
from torch import Tensor, nn

from embedseg.models.backbone import Backbone, Features
from embedseg.models.blocks import Layers, enlarge, initialise, resize
from embedseg.models.heads import EnlargedHead, SideHeads, pointwise_head
from embedseg.models.resnet import ResNet

BORDER = 21  # channels of the border network
HEAD = 9  # a head's inner channels per output


def dfn(
    *,
    in_channels: int = 3,
    depth: int = 101,
    width: int = 64,
    deep_stem: bool = True,
    deep_supervision: bool = False,
    border: bool = False,
    norm: Literal["batch", "group"] = "batch",
) -> "DFN":
    """Return DFN's smooth network: 8 * width maps at 1/4; `deep_supervision` gives four heads.

    `border` adds the border network, whose four maps "border_sides" (4, B, 1, H, W) in training
    are logits of the boundaries between instances (or classes). With everything, 90,209,467
    parameters for depth 101 and 19 classes; 8,421 that the published form never calls are left
    out. With batch norm it trains on two images or more at a time.
    """
    layers = Layers(2, norm)
    encoder = ResNet(depth, in_channels, layers, width=width, deep_stem=deep_stem)
    return DFN(
        in_channels, encoder, 8 * width, layers, deep_supervision=deep_supervision, border=border
    )


class DFN(Backbone):
    """Top down: refinement, channel attention by the level below, refinement; then x2."""

    stride = 4
    divisor = 32
    default_decoder = "learned"

    def __init__(
        self,
        in_channels: int,
        encoder: ResNet,
        outputs: int,
        layers: Layers,
        *,
        deep_supervision: bool,
        border: bool,
    ) -> None:
        super().__init__()
        self.layers, self.deep_supervision = layers, deep_supervision
        self.in_channels, self.out_channels = in_channels, outputs
        channels = encoder.channels
        self.encoder = encoder
        self.globally = layers.conv_norm_act(channels[-1], outputs, 1)
        self.first = nn.ModuleList(RefineResidual(c, outputs, layers) for c in channels[::-1])
        self.attend = nn.ModuleList(ChannelAttention(outputs, layers) for _ in channels)
        self.second = nn.ModuleList(RefineResidual(outputs, outputs, layers) for _ in channels)
        self.border = BorderNet(channels, layers) if border else None
        initialise(self)

    def forward(self, x: Tensor) -> Features:
        """Return the maps at 1/4; then, if wanted, those at 1/8 .. 1/32, then the borders'."""
        _, *maps = self.encoder(x)
        y = self.globally(maps[-1].mean((2, 3), keepdim=True))
        levels: list[Tensor] = []
        for first, attend, second, source in zip(
            self.first, self.attend, self.second, maps[::-1], strict=True
        ):
            y = second(attend(first(source), resize(y, source.shape[2:])))
            levels.insert(0, y)
        kept = levels if self.deep_supervision else levels[:1]
        borders = [] if self.border is None else self.border(maps)
        return (*kept, *borders) if len(kept) + len(borders) > 1 else y

    def make_head(self, channels: int) -> nn.Module:
        """Return the finest level's head, with deep supervision one for each level."""
        count = len(self.first) if self.deep_supervision else 1
        heads = [dfn_head(self.out_channels, channels, 4 << k, self.layers) for k in range(count)]
        return SideHeads(heads, average=False) if self.deep_supervision else heads[0]

    def auxiliary(self, features: Features) -> dict[str, Tensor]:
        """Return the border logits "border_sides" (4, B, 1, H, W)."""
        if self.border is None:
            return {}
        return {"border_sides": torch.stack(list(features[-len(self.first) :]))}


class BorderNet(nn.Module):
    """Bottom up: each level refined to a few maps, enlarged to 1/4, added, refined again."""

    def __init__(self, channels: list[int], layers: Layers) -> None:
        super().__init__()
        self.first = nn.ModuleList(RefineResidual(c, BORDER, layers) for c in channels)
        self.second = nn.ModuleList(RefineResidual(BORDER, BORDER, layers) for _ in channels[1:])
        self.heads = nn.ModuleList(dfn_head(BORDER, 1, 4, layers) for _ in channels)

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """Return one (B, 1, H, W) per level."""
        x = self.first[0](maps[0])
        levels = [x]
        for k, second in enumerate(self.second, 1):
            x = second(x + enlarge(self.first[k](maps[k]), factor=1 << k))
            levels.append(x)
        return [head(level) for head, level in zip(self.heads, levels, strict=True)]


class RefineResidual(nn.Module):
    """y + 3x3 ReLU norm 3x3 of y, y a 1x1 convolution; ReLU at the end unless `linear`."""

    def __init__(self, inputs: int, outputs: int, layers: Layers, *, linear: bool = False) -> None:
        super().__init__()
        self.linear = linear
        self.project = layers.conv(inputs, outputs, 1)
        self.steps = nn.Sequential(
            *layers.conv_norm_act(outputs, outputs), layers.conv(outputs, outputs)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, outputs, H, W)."""
        x = self.project(x)
        x = x + self.steps(x)
        return x if self.linear else torch.relu(x)


class ChannelAttention(nn.Module):
    """fine * sigmoid(1x1 ReLU 1x1(means of both)) + coarse."""

    def __init__(self, channels: int, layers: Layers) -> None:
        super().__init__()
        self.weigh = nn.Sequential(
            layers.conv(2 * channels, channels, 1, bias=True),
            nn.ReLU(),
            layers.conv(channels, channels, 1, bias=True),
        )

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        """Return the same shape; both inputs have it."""
        means = torch.cat([fine, coarse], 1).mean((2, 3), keepdim=True)
        return fine * torch.sigmoid(self.weigh(means)) + coarse


def dfn_head(inputs: int, channels: int, factor: int, layers: Layers) -> EnlargedHead:
    """Return a refinement to 9 maps per output, a 1x1 convolution, and interpolation."""
    inner = HEAD * channels
    refine = RefineResidual(inputs, inner, layers, linear=True)
    initialise(refine)
    return EnlargedHead(nn.Sequential(refine, pointwise_head(inner, channels, layers)), factor)
