"""Layers that the networks are built from, in two or three dimensions."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from embedseg.models.float32_conv import Float32Conv2d, needs_float32
from embedseg.models.transposed_conv import ConvTranspose2d, ConvTranspose3d
from embedseg.names import unknown

MAX_GROUPS = 8  # groups of a group norm: the largest divisor of the channels up to this
NORMS = ("batch", "group", "none")


@dataclass(frozen=True)
class Layers:
    """Makes layers for `ndim` dimensions with one kind of normalisation.

    Defaults are those of PyTorch except for `bias=False`: most convolutions stand before a norm.
    """

    ndim: int = 2
    kind: str = "batch"
    eps: float = 1e-5
    momentum: float = 0.1

    def __post_init__(self) -> None:
        if self.ndim not in (2, 3):
            raise ValueError(f"ndim must be 2 or 3, got {self.ndim}")
        if self.kind not in NORMS:
            raise unknown("norm", self.kind, NORMS)

    def conv(
        self,
        inputs: int,
        outputs: int,
        kernel: int | Sequence[int] = 3,
        *,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        bias: bool = False,
        padding: int | None = None,
    ) -> nn.Module:
        """Return a convolution; `padding=None` keeps the size at stride 1 (odd kernels)."""
        sizes = (kernel,) * self.ndim if isinstance(kernel, int) else tuple(kernel)
        pads = tuple(dilation * (k - 1) // 2 if padding is None else padding for k in sizes)
        steps, holes = (stride,) * self.ndim, (dilation,) * self.ndim
        layer = nn.Conv2d if self.ndim == 2 else nn.Conv3d
        if self.ndim == 2 and needs_float32(sizes, groups, dilation):
            layer = Float32Conv2d
        return layer(inputs, outputs, sizes, steps, pads, holes, groups, bias)  # type: ignore[arg-type]

    def up(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 2,
        *,
        padding: int = 0,
        output_padding: int = 0,
        groups: int = 1,
        bias: bool = True,
        stride: int = 2,
    ) -> nn.Module:
        """Return a transposed convolution that enlarges `stride` times."""
        layer = ConvTranspose2d if self.ndim == 2 else ConvTranspose3d
        return layer(inputs, outputs, kernel, stride, padding, output_padding, groups, bias)

    def norm(self, channels: int) -> nn.Module:
        """Return the normalisation of `channels` maps."""
        if self.kind == "none":
            return nn.Identity()
        if self.kind == "group":
            return nn.GroupNorm(groups_for(channels), channels, eps=self.eps)
        layer = nn.BatchNorm2d if self.ndim == 2 else nn.BatchNorm3d
        return layer(channels, eps=self.eps, momentum=self.momentum)

    def pool(self, kernel: int = 2) -> nn.Module:
        """Return a max pooling without overlap."""
        return nn.MaxPool2d(kernel) if self.ndim == 2 else nn.MaxPool3d(kernel)

    def dropout(self, p: float) -> nn.Module:
        """Return a dropout of whole maps."""
        return nn.Dropout2d(p) if self.ndim == 2 else nn.Dropout3d(p)

    def conv_norm_act(
        self,
        inputs: int,
        outputs: int,
        kernel: int | Sequence[int] = 3,
        *,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        bias: bool = False,
    ) -> nn.Sequential:
        """Return convolution, norm, ReLU."""
        conv = self.conv(
            inputs, outputs, kernel, stride=stride, dilation=dilation, groups=groups, bias=bias
        )
        return nn.Sequential(conv, self.norm(outputs), nn.ReLU(inplace=True))

    def norm_prelu(self, channels: int) -> nn.Sequential:
        """Return norm and PReLU with a slope for every channel."""
        return nn.Sequential(self.norm(channels), nn.PReLU(channels))

    def conv_norm_prelu(
        self,
        inputs: int,
        outputs: int,
        kernel: int | Sequence[int] = 3,
        *,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
    ) -> nn.Sequential:
        """Return convolution without bias, norm, PReLU with a slope for every channel."""
        conv = self.conv(inputs, outputs, kernel, stride=stride, dilation=dilation, groups=groups)
        return nn.Sequential(conv, *self.norm_prelu(outputs))


def groups_for(channels: int) -> int:
    """Return the largest divisor of `channels` up to MAX_GROUPS."""
    return max(g for g in range(1, MAX_GROUPS + 1) if channels % g == 0)


def enlarge(x: Tensor, *, factor: int = 2, mode: str = "linear") -> Tensor:
    """Enlarge the maps `factor` times by "nearest" or by "linear" (corners not aligned)."""
    if mode == "nearest":
        return functional.interpolate(x, scale_factor=float(factor), mode="nearest")
    size = [s * factor for s in x.shape[2:]]
    return resize(x, size)


class Enlarge(nn.Module):
    """`enlarge` by two, as a layer."""

    def __init__(self, mode: str) -> None:
        super().__init__()
        self.mode = mode

    def forward(self, x: Tensor) -> Tensor:
        """Return maps of twice the size."""
        return enlarge(x, mode=self.mode)


def resize(x: Tensor, size: Sequence[int]) -> Tensor:
    """Interpolate the maps linearly to `size`, corners not aligned."""
    mode = "bilinear" if x.ndim == 4 else "trilinear"
    return functional.interpolate(x, size=list(size), mode=mode, align_corners=False)


def shrink(x: Tensor, times: int) -> Tensor:
    """Halve the maps again and again by 3x3 mean pooling: the image at 1/2^times."""
    for _ in range(times):
        x = functional.avg_pool2d(x, 3, 2, 1)
    return x


def space_to_depth(x: Tensor, factor: int) -> Tensor:
    """Move blocks of factor^n pixels into channels: (B, C, *S) -> (B, C factor^n, *S / factor)."""
    if factor == 1:
        return x
    if x.ndim == 4:
        return functional.pixel_unshuffle(x, factor)
    n = x.ndim - 2
    split = [v for s in x.shape[2:] for v in (s // factor, factor)]
    blocks = x.reshape(x.shape[0], x.shape[1], *split)
    order = [0, 1, *range(3, 3 + 2 * n, 2), *range(2, 2 + 2 * n, 2)]
    maps = x.shape[1] * factor**n
    return blocks.permute(order).reshape(x.shape[0], maps, *[s // factor for s in x.shape[2:]])


def unpool(x: Tensor, places: Tensor) -> Tensor:
    """Put every value of (B, C, H, W) back to where its 2x2 maximum stood; zeros elsewhere.

    `places` are the flat indices within a map of (2H, 2W) that `max_pool2d(..., 2,
    return_indices=True)` gives.
    """
    batch, channels, height, width = x.shape
    out = x.new_zeros(batch, channels, 4 * height * width)
    out = out.scatter(2, places.flatten(2), x.flatten(2))
    out = out.view(batch, channels, 2 * height, 2 * width)
    if x.is_contiguous(memory_format=torch.channels_last):  # mixed layouts are slow from here on
        out = out.contiguous(memory_format=torch.channels_last)
    return out


def initialise(module: nn.Module, *, gain: float = math.sqrt(2)) -> None:
    """Draw convolutions from N(0, gain^2 / fan_in) (He et al., arXiv:1502.01852); biases are 0.

    fan_in is the number of inputs that one output pixel sums: in a transposed convolution that
    is in_channels * kernel / stride.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Conv3d):
            fan = float(layer.weight[0].numel())
        elif isinstance(layer, nn.ConvTranspose2d | nn.ConvTranspose3d):
            seen = math.prod(layer.kernel_size) / math.prod(layer.stride)
            fan = layer.in_channels / layer.groups * max(seen, 1.0)
        else:
            continue
        with torch.no_grad():
            layer.weight.normal_(0.0, gain / math.sqrt(fan))
            if layer.bias is not None:
                layer.bias.zero_()
