"""R2U-Net (Alom et al., arXiv:1802.06955): recurrent residual blocks; and with attention gates."""

from typing import Literal

from torch import Tensor, nn

from embedseg.models.attention_unet import AttentionGate
from embedseg.models.blocks import Layers
from embedseg.models.unet import FORMS, UNet, check_widths


def r2unet(
    *,
    in_channels: int = 3,
    width: int = 64,
    depth: int = 4,
    max_width: int = 1024,
    recurrences: int = 2,
    attention: bool = False,
    norm: Literal["batch", "group"] = "batch",
    ndim: int = 2,
) -> UNet:
    """Return R2U-Net, or with `attention` R2-Attention U-Net (form "leejunhyun" otherwise)."""
    if recurrences < 1:
        raise ValueError(f"recurrences must be >= 1, got {recurrences}; the paper has 2")
    layers = Layers(ndim, norm)
    widths = check_widths(width, depth, max_width)
    return UNet(
        in_channels,
        widths,
        1,
        layers,
        FORMS["leejunhyun"],
        block=lambda i, o: RecurrentResidual(i, o, recurrences, layers),
        gate=(lambda channels: AttentionGate(channels, layers)) if attention else None,
    )


class RecurrentResidual(nn.Module):
    """x + two recurrent convolutions of x, x being a 1x1 convolution of the input."""

    def __init__(self, inputs: int, outputs: int, recurrences: int, layers: Layers) -> None:
        super().__init__()
        self.project = layers.conv(inputs, outputs, 1, bias=True)
        self.steps = nn.Sequential(
            *(RecurrentConvolution(outputs, recurrences, layers) for _ in range(2))
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, outputs, *S)."""
        x = self.project(x)
        x = x + self.steps(x)
        return x


class RecurrentConvolution(nn.Module):
    """y_0 = f(x), y_k = f(x + y_{k-1}): one 3x3 convolution, norm, ReLU applied again and again."""

    def __init__(self, channels: int, recurrences: int, layers: Layers) -> None:
        super().__init__()
        conv, norm, _ = layers.conv_norm_act(channels, channels, bias=True)
        self.step = nn.Sequential(conv, norm, nn.ReLU())
        self.recurrences = recurrences

    def forward(self, x: Tensor) -> Tensor:
        """Return the last y."""
        y: Tensor = self.step(x)
        for _ in range(self.recurrences):
            y = self.step(x + y)
        return y
