"""U-Net (Ronneberger, Fischer, Brox, arXiv:1505.04597): width, depth, and its published forms."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from embedseg.models.backbone import Backbone
from embedseg.models.blocks import Enlarge, Layers, initialise, space_to_depth
from embedseg.models.heads import kernel_head, transposed_head
from embedseg.names import unknown

STEM_STRIDES = (1, 2, 4)


@dataclass(frozen=True)
class Form:
    """What differs between the U-Nets that people use.

    `up`: "2x2" or "4x4" transposed convolution, "nearest" (enlarge, 3x3 convolution, norm, ReLU)
    or "linear" (enlarge alone; the decoder then narrows one level early).
    """

    bias: bool = False  # of convolutions before a norm
    decoder_norm: bool = True
    up: Literal["2x2", "4x4", "nearest", "linear"] = "2x2"
    head: int = 1  # kernel of the last convolution


FORMS = {
    "default": Form(),
    "shawnbit": Form(bias=True, decoder_norm=False),
    "zju": Form(bias=True, decoder_norm=False, up="4x4", head=3),
    "leejunhyun": Form(bias=True, up="nearest"),
    "bilinear": Form(bias=True, up="linear"),
}


def unet(
    *,
    in_channels: int = 3,
    width: int = 32,
    depth: int = 4,
    max_width: int = 512,
    stem_stride: int = 1,
    form: Literal["default", "shawnbit", "zju", "leejunhyun", "bilinear"] = "default",
    norm: Literal["batch", "group"] = "batch",
    ndim: int = 2,
) -> "UNet":
    """Return a U-Net of `depth` halvings with min(width * 2^k, max_width) channels at level k.

    `stem_stride` 2 or 4 first moves blocks of that many pixels per side into channels, so that all
    work happens at 1/2 or 1/4 of the resolution; the head's transposed convolution restores it.
    At 1/2 a step costs about a quarter. `form` follows a published implementation: "shawnbit"
    (width 32: 7,764,659 parameters with 19 classes), "zju", "leejunhyun" (width 64 and max_width
    1024 for both) or "bilinear" (width 64).
    """
    widths = check_widths(width, depth, max_width)
    if stem_stride not in STEM_STRIDES:
        raise ValueError(f"stem_stride must be one of {STEM_STRIDES}, got {stem_stride}")
    return UNet(in_channels, widths, stem_stride, Layers(ndim, norm), choose_form(form))


Block = Callable[[int, int], nn.Module]
Gate = Callable[[int], nn.Module]


class UNet(Backbone):
    """Encoder of blocks and max pooling; decoder that enlarges, appends the skip, and blocks again.

    `block(inputs, outputs)` makes the blocks (default: two convolutions), `gate(channels)` what
    weights a skip by the enlarged features below it.
    """

    def __init__(
        self,
        in_channels: int,
        widths: list[int],
        stem_stride: int,
        layers: Layers,
        form: Form,
        block: Block | None = None,
        gate: Gate | None = None,
    ) -> None:
        super().__init__()
        self.layers, self.form, self.ndim = layers, form, layers.ndim
        self.in_channels, self.out_channels = in_channels, widths[0]
        self.stride = stem_stride
        self.divisor = stem_stride << (len(widths) - 1)
        self.pool = layers.pool()
        inputs = [in_channels * stem_stride**self.ndim, *widths[:-1]]
        encode = block or (lambda i, o: double(i, o, layers, bias=form.bias))
        self.down = nn.ModuleList(encode(i, o) for i, o in zip(inputs, widths, strict=True))

        self.up, self.merge, self.gates = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        decode = block or (
            lambda i, o: double(i, o, layers, bias=form.bias, norm=form.decoder_norm)
        )
        low = widths[-1]
        for level in reversed(range(len(widths) - 1)):
            skip = widths[level]
            raised = low if form.up == "linear" else skip
            out = widths[max(level - 1, 0)] if form.up == "linear" else skip
            self.up.append(make_up(low, skip, form, layers))
            self.merge.append(decode(raised + skip, out))
            if gate is not None:
                self.gates.append(gate(skip))
            low = out
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, out_channels, *S / stride)."""
        x = space_to_depth(x, self.stride)
        skips: list[Tensor] = []
        for level, block in enumerate(self.down):
            x = block(x if level == 0 else self.pool(x))
            skips.append(x)
        for k, (up, merge) in enumerate(zip(self.up, self.merge, strict=True)):
            x, skip = up(x), skips[-2 - k]
            if self.gates:
                skip = self.gates[k](x, skip)
            x = merge(torch.cat([skip, x], 1))
        return x

    def make_head(self, channels: int) -> nn.Module:
        """Return the last convolution, or a transposed one that undoes `stem_stride`."""
        if self.stride > 1:
            return transposed_head(self.out_channels, channels, self.stride, self.layers)
        return kernel_head(self.out_channels, channels, self.form.head, self.layers)


def double(
    inputs: int, outputs: int, layers: Layers, *, bias: bool = False, norm: bool = True
) -> nn.Sequential:
    """Return twice (3x3 convolution, norm, ReLU); without norm the convolutions have biases."""
    steps: list[nn.Module] = []
    for i in (inputs, outputs):
        steps.append(layers.conv(i, outputs, bias=bias or not norm))
        steps += [layers.norm(outputs)] if norm else []
        steps.append(nn.ReLU(inplace=True))
    return nn.Sequential(*steps)


def make_up(low: int, high: int, form: Form, layers: Layers) -> nn.Module:
    """Return what doubles the size of `low` maps; all but "linear" give `high` maps."""
    if form.up == "linear":
        return Enlarge("linear")
    if form.up == "nearest":
        return nn.Sequential(Enlarge("nearest"), *layers.conv_norm_act(low, high, bias=form.bias))
    return layers.up(low, high, 4, padding=1) if form.up == "4x4" else layers.up(low, high)


def check_widths(width: int, depth: int, max_width: int) -> list[int]:
    """Return the channels of the depth + 1 levels."""
    if width < 1 or depth < 1 or max_width < width:
        raise ValueError(
            f"need width >= 1, depth >= 1 and max_width >= width, "
            f"got width={width}, depth={depth}, max_width={max_width}"
        )
    return [min(width << k, max_width) for k in range(depth + 1)]


def choose_form(name: str) -> Form:
    """Return the form of that name."""
    if name not in FORMS:
        raise unknown("form", name, FORMS)
    return FORMS[name]
