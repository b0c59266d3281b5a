"""HighRes3DNet (Li et al., arXiv:1707.01992): full resolution throughout, by dilation."""

from typing import Literal

from torch import Tensor, nn
from torch.nn import functional

from embedseg.models.backbone import Backbone
from embedseg.models.blocks import Layers, initialise
from embedseg.models.heads import pointwise_head

STAGES = ((16, 1), (32, 2), (64, 4))  # channels, dilation
BLOCKS = 3  # per stage
LAST = 80  # channels of the features


def highresnet(
    *,
    in_channels: int = 3,
    last_norm: bool = False,
    norm: Literal["batch", "group"] = "batch",
    ndim: int = 2,
) -> "HighResNet":
    """Return HighRes3DNet: 80 maps at full resolution, in two or three dimensions.

    `last_norm` sets a norm behind the last convolution, as published (275,814 parameters in 2D
    with 19 classes); it would bind embeddings to unit variance.
    """
    return HighResNet(in_channels, Layers(ndim, norm), last_norm=last_norm)


class HighResNet(Backbone):
    """Residual blocks at full resolution; nine of them, dilated 1, 2, 4."""

    out_channels = LAST
    stride = 1
    divisor = 1

    def __init__(self, in_channels: int, layers: Layers, *, last_norm: bool) -> None:
        super().__init__()
        self.layers, self.last_norm, self.ndim = layers, last_norm, layers.ndim
        self.in_channels = in_channels
        inputs = STAGES[0][0]
        steps: list[nn.Module] = [*layers.conv_norm_act(in_channels, inputs)]
        for outputs, dilation in STAGES:
            for _ in range(BLOCKS):
                steps.append(Residual(inputs, outputs, dilation, layers))
                inputs = outputs
        self.steps = nn.Sequential(*steps, *layers.conv_norm_act(inputs, LAST, 1))
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, 80, *S)."""
        x = self.steps(x)
        return x

    def make_head(self, channels: int) -> nn.Module:
        """Return the 1x1 convolution, with `last_norm` a norm in place of its bias."""
        if not self.last_norm:
            return pointwise_head(LAST, channels, self.layers)
        head = nn.Sequential(self.layers.conv(LAST, channels, 1), self.layers.norm(channels))
        initialise(head, gain=1.0)
        return head


class Residual(nn.Module):
    """x, padded with zero maps, + twice (norm, ReLU, dilated 3x3 convolution)."""

    def __init__(self, inputs: int, outputs: int, dilation: int, layers: Layers) -> None:
        super().__init__()
        self.missing = outputs - inputs
        steps: list[nn.Module] = []
        for i in (inputs, outputs):
            steps += [layers.norm(i), nn.ReLU(), layers.conv(i, outputs, dilation=dilation)]
        self.steps = nn.Sequential(*steps)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, outputs, *S)."""
        y: Tensor = self.steps(x)
        return functional.pad(x, [0, 0] * (x.ndim - 2) + [0, self.missing]) + y
