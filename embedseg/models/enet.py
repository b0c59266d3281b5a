"""ENet (Paszke, Chaurasia, Kim, Culurciello, arXiv:1606.02147)."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from embedseg.models.backbone import Backbone
from embedseg.models.blocks import Layers, initialise, unpool
from embedseg.models.heads import published_up
from embedseg.models.prelu import PReLU

RATIO = 4  # a branch works with a quarter of the channels
EARLY_DROPOUT, DROPOUT = 0.01, 0.1
FIRST_MAPS = 13  # of the first convolution; the pooled input is appended to them
CONTEXT = ("3", "d2", "5x", "d4", "3", "d8", "5x", "d16")  # branches of stages 2 and 3


def enet(*, in_channels: int = 3, norm: Literal["batch", "group"] = "batch") -> "ENet":
    """Return ENet: features are 13 + in_channels maps (16 for RGB) at half resolution.

    One PReLU slope per block in the encoder, ReLU in the decoder, no biases, as in the widely
    used PyTorch forms (357,990 parameters for 19 classes). Max pooling is the paper's 2x2 without
    overlap, so that every unpooled value has its own place.
    """
    return ENet(in_channels, Layers(2, norm))


class ENet(Backbone):
    """Encoder of three stages at 1/4 and 1/8; decoder of two that unpool with the kept indices."""

    divisor = 8
    stride = 2

    def __init__(self, in_channels: int, layers: Layers) -> None:
        super().__init__()
        self.layers = layers
        self.in_channels = in_channels
        start = FIRST_MAPS + in_channels
        self.out_channels = start
        self.first = layers.conv(in_channels, FIRST_MAPS, stride=2)
        self.first_norm, self.first_act = layers.norm(start), PReLU()
        self.down1 = Down(start, 64, EARLY_DROPOUT, layers)
        self.stage1 = _stage(64, ("3",) * 4, EARLY_DROPOUT, layers)
        self.down2 = Down(64, 128, DROPOUT, layers)
        self.stage2 = _stage(128, CONTEXT, DROPOUT, layers)
        self.stage3 = _stage(128, CONTEXT, DROPOUT, layers)
        self.up4 = Up(128, 64, layers)
        self.stage4 = _stage(64, ("3", "3"), DROPOUT, layers, decoder=True)
        self.up5 = Up(64, start, layers)
        self.stage5 = _stage(start, ("3",), DROPOUT, layers, decoder=True)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, out_channels, H/2, W/2)."""
        x = torch.cat([self.first(x), functional.max_pool2d(x, 2)], 1)
        x = self.first_act(self.first_norm(x))
        x, places1 = self.down1(x)
        x, places2 = self.down2(self.stage1(x))
        x = self.stage3(self.stage2(x))
        x = self.stage4(self.up4(x, places2))
        x = self.stage5(self.up5(x, places1))
        return x

    def make_head(self, channels: int) -> nn.Module:
        """Return the 3x3 transposed convolution to full resolution, without bias."""
        return published_up(self.out_channels, channels, self.layers, bias=False)


class Branch(nn.Module):
    """1x1 or 2x2 projection, `middle` convolutions, 1x1 expansion; norm and `act` after each."""

    def __init__(
        self,
        project: nn.Module,
        middle: list[nn.Module],
        inner: int,
        outputs: int,
        dropout: float,
        act: nn.Module,
        layers: Layers,
    ) -> None:
        super().__init__()
        parts = [project, *middle]
        steps = [step for part in parts for step in (part, layers.norm(inner), act)]
        expand = [layers.conv(inner, outputs, 1), layers.norm(outputs), act]
        self.steps = nn.Sequential(*steps, *expand, layers.dropout(dropout))

    def forward(self, x: Tensor) -> Tensor:
        """Return the residual."""
        x = self.steps(x)
        return x


class Bottleneck(nn.Module):
    """act(x + branch(x)) at one resolution; `kind`: "3", "d<dilation>" or "5x" (5x1 and 1x5)."""

    def __init__(self, channels: int, kind: str, dropout: float, act: nn.Module, layers: Layers):
        super().__init__()
        inner = channels // RATIO
        if kind == "5x":
            middle = [layers.conv(inner, inner, (5, 1)), layers.conv(inner, inner, (1, 5))]
        else:
            middle = [layers.conv(inner, inner, dilation=int(kind[1:] or 1))]
        project = layers.conv(channels, inner, 1)
        self.branch = Branch(project, middle, inner, channels, dropout, act, layers)
        self.act = act

    def forward(self, x: Tensor) -> Tensor:
        """Return the same shape."""
        x = self.act(x + self.branch(x))
        return x


class Down(nn.Module):
    """Halves the size: act(max pooling, padded with zero maps, + branch); keeps the indices."""

    def __init__(self, inputs: int, outputs: int, dropout: float, layers: Layers) -> None:
        super().__init__()
        inner = inputs // RATIO
        self.extra = outputs - inputs
        self.act = PReLU()
        project = layers.conv(inputs, inner, 2, stride=2, padding=0)
        middle = [layers.conv(inner, inner)]
        self.branch = Branch(project, middle, inner, outputs, dropout, self.act, layers)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the maps and, for `Up`, where each maximum of x stood."""
        pooled, places = functional.max_pool2d(x, 2, return_indices=True)
        padded = functional.pad(pooled, (0, 0, 0, 0, 0, self.extra))
        return self.act(padded + self.branch(x)), places


class Up(nn.Module):
    """Doubles the size: ReLU(unpooled 1x1 convolution + branch with a transposed 3x3)."""

    def __init__(self, inputs: int, outputs: int, layers: Layers) -> None:
        super().__init__()
        inner = inputs // RATIO
        self.main = nn.Sequential(layers.conv(inputs, outputs, 1), layers.norm(outputs))
        middle = [layers.up(inner, inner, 3, padding=1, output_padding=1, bias=False)]
        project = layers.conv(inputs, inner, 1)
        self.branch = Branch(project, middle, inner, outputs, DROPOUT, nn.ReLU(), layers)

    def forward(self, x: Tensor, places: Tensor) -> Tensor:
        """Return maps of twice the size; the main path is zero except at `places`."""
        main = unpool(self.main(x), places)
        return functional.relu(main + self.branch(x))


def _stage(
    channels: int, kinds: tuple[str, ...], dropout: float, layers: Layers, *, decoder: bool = False
) -> nn.Sequential:
    blocks = (
        Bottleneck(channels, kind, dropout, nn.ReLU() if decoder else PReLU(), layers)
        for kind in kinds
    )
    return nn.Sequential(*blocks)
