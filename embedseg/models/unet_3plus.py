"""U-Net 3+ (Huang et al., arXiv:2004.08790): every decoder level sees all scales."""

from typing import Literal

import torch
from torch import Tensor, nn

from embedseg.models.backbone import Backbone, Features
from embedseg.models.blocks import Layers, initialise, resize
from embedseg.models.heads import EnlargedHead, SideHeads, first, kernel_head
from embedseg.models.unet import check_widths, double

DROPOUT = 0.5  # before the classification of the image
ABSENT = 100.0  # taken from the logits of an image without objects


def unet_3plus(
    *,
    in_channels: int = 3,
    width: int = 64,
    depth: int = 4,
    max_width: int = 1024,
    deep_supervision: bool = False,
    presence: bool = False,
    norm: Literal["batch", "group"] = "batch",
    ndim: int = 2,
) -> "UNet3Plus":
    """Return U-Net 3+ with min(width * 2^k, max_width) channels at encoder level k.

    `deep_supervision` adds a head for every decoder level and the lowest encoder level; the
    output is the finest one's, the others serve the training (`SideHeads`). `presence` adds the
    paper's classification-guided module (`Presence`): it decides whether the image holds an object
    at all; it learns from the loss "semantic_encoding" and serves images that may hold none.
    26,989,637 parameters with deep supervision and one class, 26,991,687 with both.
    """
    layers = Layers(ndim, norm)
    widths = check_widths(width, depth, max_width)
    return UNet3Plus(
        in_channels, widths, layers, deep_supervision=deep_supervision, presence=presence
    )


class UNet3Plus(Backbone):
    """Decoder level k: `width` maps of each of all levels, resized (3x3 convolution, norm, ReLU).

    Levels above are max-pooled encoder maps, levels below enlarged decoder maps; a last
    convolution, norm, ReLU fuses them.
    """

    stride = 1

    def __init__(
        self,
        in_channels: int,
        widths: list[int],
        layers: Layers,
        *,
        deep_supervision: bool,
        presence: bool,
    ) -> None:
        super().__init__()
        self.layers, self.ndim = layers, layers.ndim
        self.in_channels = in_channels
        levels = len(widths)
        self.divisor = 1 << (levels - 1)
        self.deep_supervision = deep_supervision
        self.fused = widths[0] * levels
        self.lowest, self.out_channels = widths[-1], self.fused
        self.pool = layers.pool()
        inputs = [in_channels, *widths[:-1]]
        self.down = nn.ModuleList(
            double(i, o, layers, bias=True) for i, o in zip(inputs, widths, strict=True)
        )
        self.levels = nn.ModuleList()
        for level in range(levels - 1):
            below = [self.fused] * (levels - level - 2) + [widths[-1]]
            sources = [*widths[: level + 1], *below]
            self.levels.append(Fuse(sources, widths[0], layers))
        initialise(self)
        self.presence = Presence(widths[-1], layers) if presence else None

    def forward(self, x: Tensor) -> Features:
        """Return the finest decoder level, with deep supervision followed by the coarser ones.

        Last of all, with `presence`, comes its logit (B, 1).
        """
        maps: list[Tensor] = []
        for level, block in enumerate(self.down):
            x = block(x if level == 0 else self.pool(x))
            maps.append(x)
        for level in reversed(range(len(maps) - 1)):
            size = maps[level].shape[2:]
            sources = [self._fit(source, k - level, size) for k, source in enumerate(maps)]
            # the encoder map of this level is not read again, so the decoder map may replace it
            maps[level] = self.levels[level](sources)
        found = maps if self.deep_supervision else maps[:1]
        if self.presence is not None:
            found = [*found, self.presence(maps[-1])]
        return tuple(found) if len(found) > 1 else found[0]

    @property
    def decides(self) -> bool:
        """Whether `decide` acts."""
        return self.presence is not None

    def decide(self, semantic: Tensor, features: Features) -> Tensor:
        """Return the semantic logits, those of objects lowered where the image holds none.

        The paper multiplies probabilities by 0 or 1; a logit lowered by ABSENT does the same.
        """
        if self.presence is None:
            return semantic
        absent = (features[-1] <= 0).to(semantic.dtype).view(-1, *[1] * (semantic.ndim - 1))
        lowered = torch.ones_like(semantic[:1])
        if semantic.shape[1] > 1:
            lowered[:, 0] = 0  # the background
        return semantic - ABSENT * absent * lowered

    def auxiliary(self, features: Features) -> dict[str, Tensor]:
        """Return "presence" (B, 1), the logit that the image holds an object."""
        return {} if self.presence is None else {"presence": features[-1]}

    def _fit(self, source: Tensor, steps: int, size: torch.Size) -> Tensor:
        for _ in range(-steps):
            source = self.pool(source)
        return resize(source, size) if steps > 0 else source

    def make_head(self, channels: int) -> nn.Module:
        """Return the 3x3 convolution, with deep supervision one for each level, enlarged."""
        if not self.deep_supervision:
            last = kernel_head(self.fused, channels, 3, self.layers)
            return last if self.presence is None else First(last)
        levels = len(self.levels)
        heads: list[nn.Module] = [kernel_head(self.fused, channels, 3, self.layers)]
        for k in range(1, levels + 1):
            inputs = self.fused if k < levels else self.lowest
            last = kernel_head(inputs, channels, 3, self.layers)
            heads.append(EnlargedHead(last, 1 << k))
        return SideHeads(heads, average=False)


class First(nn.Module):
    """A head that reads the first of several features."""

    def __init__(self, last: nn.Module) -> None:
        super().__init__()
        self.last = last

    def forward(self, features: Features) -> Tensor:
        """Return what `last` makes of them."""
        y: Tensor = self.last(first(features))
        return y


class Presence(nn.Module):
    """Classification-guided module: dropout, 1x1 convolution to two maps, their maxima.

    The paper takes a sigmoid of both maxima (no object, object) and the larger decides; the
    difference of the two is the logit of that decision.
    """

    def __init__(self, inputs: int, layers: Layers) -> None:
        super().__init__()
        self.dropout = nn.Dropout(DROPOUT)
        self.last = kernel_head(inputs, 2, 1, layers)

    def forward(self, lowest: Tensor) -> Tensor:
        """Return (B, 1) from the lowest encoder maps."""
        maxima = self.last(self.dropout(lowest)).flatten(2).amax(2)
        return maxima[:, 1:] - maxima[:, :1]


class Fuse(nn.Module):
    """One decoder level: a convolution of every source to `width` maps, and one of all of them."""

    def __init__(self, sources: list[int], width: int, layers: Layers) -> None:
        super().__init__()
        total = width * len(sources)
        self.branches = nn.ModuleList(layers.conv_norm_act(s, width, bias=True) for s in sources)
        self.last = layers.conv_norm_act(total, total, bias=True)

    def forward(self, sources: list[Tensor]) -> Tensor:
        """Return (B, width * sources, *S) from maps of one size."""
        parts = [branch(s) for branch, s in zip(self.branches, sources, strict=True)]
        x: Tensor = self.last(torch.cat(parts, 1))
        return x
