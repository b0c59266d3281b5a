"""DFANet (Li et al., arXiv:1904.02216): three small Xceptions that feed each other."""

from typing import Literal

import torch
from torch import Tensor, nn

from embedseg.models.backbone import Backbone, Decoder, Features
from embedseg.models.blocks import Layers, enlarge, initialise
from embedseg.models.heads import SideHeads, auxiliary_head, enlarged_head

STEM = 8
STAGES = ((48, 4), (96, 6), (192, 4))  # channels, blocks
RATIO = 4  # a block works with a quarter of its channels
ATTENTION = 1000  # width of the attention's linear layer: that of an ImageNet classifier
WIDTH = 32  # of the decoder


def dfanet(
    *,
    in_channels: int = 3,
    deep_supervision: bool = False,
    norm: Literal["batch", "group"] = "batch",
) -> "DFANet":
    """Return DFANet: 32 maps at 1/4; `deep_supervision` adds two heads on earlier aggregations.

    2,503,089 parameters with 19 classes and all heads. With batch norm it trains on two images or
    more at a time.
    """
    return DFANet(in_channels, Layers(2, norm), deep_supervision=deep_supervision)


class DFANet(Backbone):
    """Each encoder's result is enlarged x4 and appended to the previous one's first stage."""

    out_channels = WIDTH
    stride = 4
    divisor = 64
    default_decoder: Decoder = "learned"

    def __init__(self, in_channels: int, layers: Layers, *, deep_supervision: bool) -> None:
        super().__init__()
        self.layers, self.deep_supervision = layers, deep_supervision
        self.in_channels = in_channels
        self.stem = layers.conv_norm_act(in_channels, STEM, stride=2)
        widths = [w for w, _ in STAGES]
        first = [STEM, *widths[:-1]]
        later = [widths[0] + widths[-1], widths[1] + widths[0], widths[2] + widths[1]]
        self.encoders = nn.ModuleList(Encoder(i, layers) for i in (first, later, later))
        self.of_fine = nn.ModuleList(layers.conv_norm_act(widths[0], WIDTH, 1) for _ in range(3))
        self.of_last = nn.ModuleList(layers.conv_norm_act(widths[-1], WIDTH, 1) for _ in range(3))
        self.fuse = layers.conv_norm_act(WIDTH, WIDTH, 1)
        initialise(self)
        calm(self)

    def forward(self, x: Tensor) -> Features:
        """Return (B, 32, H/4, W/4), with deep supervision the maps at 1/4 and 1/8 for its heads."""
        x = self.stem(x)
        previous: list[Tensor] = []
        fine, last, sides = [], [], []
        for encoder in self.encoders:
            maps, attended = encoder(x, previous)
            fine.append(maps[0])
            last.append(attended)
            previous = maps
            x = enlarge(attended, factor=4)
            sides.append(x)
        y = self.fuse(_sum(self.of_fine, fine, 1))
        y = y + _sum(self.of_last, last, 4)
        return (y, *sides[:2]) if self.deep_supervision else y

    def make_head(self, channels: int) -> nn.Module:
        """Return the 1x1 convolution enlarged x4, with deep supervision beside two others."""
        main = enlarged_head(self.out_channels, channels, self.stride, self.layers, bias=True)
        if not self.deep_supervision:
            return main
        width = STAGES[-1][0]
        sides = [auxiliary_head(width, width, channels, f, self.layers) for f in (4, 8)]
        return SideHeads([main, *sides], average=False)


class Encoder(nn.Module):
    """Three stages of separable residual blocks, then channel attention."""

    def __init__(self, inputs: list[int], layers: Layers) -> None:
        super().__init__()
        self.stages = nn.ModuleList(
            nn.Sequential(
                Block(i, width, 2, layers), *(Block(width, width, 1, layers) for _ in range(n - 1))
            )
            for i, (width, n) in zip(inputs, STAGES, strict=True)
        )
        width = STAGES[-1][0]
        self.linear = nn.Linear(width, ATTENTION)
        self.weigh = layers.conv_norm_act(ATTENTION, width, 1)

    def forward(self, x: Tensor, previous: list[Tensor]) -> tuple[list[Tensor], Tensor]:
        """Return the maps of the stages and the weighted last one.

        Stage k reads the result of stage k - 1 (stage 0: x) and, if any, the previous encoder's
        maps of that size.
        """
        maps: list[Tensor] = []
        for k, stage in enumerate(self.stages):
            x = stage(torch.cat([previous[k], x], 1) if previous else x)
            maps.append(x)
        weights = self.weigh(self.linear(x.mean((2, 3)))[:, :, None, None])
        return maps, x * weights


class Block(nn.Module):
    """x + three times (ReLU, separable 3x3 convolution, norm); a 1x1 convolution fits x."""

    def __init__(self, inputs: int, outputs: int, stride: int, layers: Layers) -> None:
        super().__init__()
        inner = outputs // RATIO
        steps: list[nn.Module] = []
        for i, o, s in ((inputs, inner, 1), (inner, inner, 1), (inner, outputs, stride)):
            steps += [nn.ReLU(), layers.conv(i, i, stride=s, groups=i), layers.norm(i)]
            steps += [layers.conv(i, o, 1), layers.norm(o)]
        self.steps = nn.Sequential(*steps)
        self.fit: nn.Module = nn.Identity()
        if stride > 1 or inputs != outputs:
            fit = layers.conv(inputs, outputs, 1, stride=stride)
            self.fit = nn.Sequential(fit, layers.norm(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, outputs, H / stride, W / stride)."""
        y: Tensor = self.fit(x) + self.steps(x)
        return y


def calm(net: nn.Module) -> None:
    """Shrink the pointwise convolutions of all blocks, so that untrained norms pass finite maps.

    The norms behind them undo any scale in training. Without it the maps double in every block
    and are squared by every attention: in evaluation mode they overflow before the first step.
    """
    total = sum(blocks for _, blocks in STAGES)
    with torch.no_grad():
        for block in net.modules():
            if isinstance(block, Block):
                pointwise = [m for m in block.steps if getattr(m, "kernel_size", None) == (1, 1)]
                for conv in pointwise:
                    conv.get_parameter("weight").mul_(0.5**0.5)  # no ReLU stands before it
                pointwise[-1].get_parameter("weight").mul_(total**-0.5)


def _sum(convolutions: nn.ModuleList, maps: list[Tensor], factor: int) -> Tensor:
    """Return the sum of the convolved maps, the k-th one enlarged factor * 2^k times."""
    parts = [
        enlarge(conv(m), factor=factor << k)
        for k, (conv, m) in enumerate(zip(convolutions, maps, strict=True))
    ]
    return torch.stack(parts).sum(0)
