"""Any convolutional encoder of the package timm (Wightman, PyTorch Image Models) in a U-Net."""

import importlib
from difflib import get_close_matches
from itertools import pairwise
from typing import Any, Literal

import torch
from torch import Tensor, nn

from embedseg.models.backbone import Backbone
from embedseg.models.blocks import Layers, enlarge, initialise
from embedseg.models.heads import transposed_head

PREFIX = "timm:"
EXTRA = "embedseg-torch[timm]"
WIDTHS = {16: 128, 8: 64, 4: 48, 2: 32}  # stride -> channels of the decoder
WIDEST = 128  # at coarser strides
FINEST = 2  # the head's transposed convolution goes on from here
RGB = 3


def unet_timm(
    encoder: str,
    /,
    *,
    in_channels: int = 3,
    pretrained: bool = False,
    width: float = 1.0,
    norm: Literal["batch", "group"] = "batch",
) -> "TimmUNet":
    """Return a U-Net decoder over timm's `encoder`: 32 maps at half resolution.

    The encoder must offer maps at strides that double (`features_only`), which convolutional ones
    do: resnet50, convnext_tiny, efficientnet_b0, ... `pretrained` lets timm download its weights,
    for pictures normalised as ImageNet's; channels after the third (coordinates) then start with
    zeros. Or give your own file: `--network.init FILE`. `width` scales the decoder, `norm` is the
    decoder's; the encoder keeps its own.
    """
    if width <= 0:
        raise ValueError(f"width must be > 0, got {width}")
    net = create(encoder, in_channels, pretrained=pretrained)
    if pretrained and in_channels > RGB:
        blind_to_coordinates(net, in_channels)
    return TimmUNet(encoder, net, in_channels, width, Layers(2, norm))


class TimmUNet(Backbone):
    """From the coarsest maps: enlarge to the next finer ones, append them, two 3x3 convolutions.

    An encoder whose finest maps are coarser than 1/2 is followed by one such step without a skip.
    """

    def __init__(
        self, name: str, encoder: nn.Module, in_channels: int, width: float, layers: Layers
    ) -> None:
        super().__init__()
        channels, strides = described(name, encoder)
        self.layers, self.in_channels = layers, in_channels
        self.skips = channels
        targets = [s for s in strides[:-1] if s >= FINEST]
        if strides[0] > FINEST:
            targets = [FINEST, *targets]
        self.divisor = strides[-1]
        self.stride = targets[0] if targets else strides[-1]
        sources = dict(zip(strides, channels, strict=True))
        inputs, below, steps, self.factors = channels[-1], strides[-1], [], []
        self.order: list[int | None] = []
        for stride in reversed(targets):
            outputs = max(8, round(WIDTHS.get(stride, WIDEST) * width))
            joined = inputs + sources.get(stride, 0)
            steps.append(
                nn.Sequential(
                    *layers.conv_norm_act(joined, outputs), *layers.conv_norm_act(outputs, outputs)
                )
            )
            self.factors.append(below // stride)
            self.order.append(strides.index(stride) if stride in sources else None)
            inputs, below = outputs, stride
        self.steps = nn.ModuleList(steps)
        self.out_channels = inputs
        initialise(self.steps)
        self.encoder = encoder

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, out_channels, *S / stride)."""
        maps = [
            m if m.shape[1] == c else m.permute(0, 3, 1, 2)  # some give (B, H, W, C)
            for m, c in zip(self.encoder(x), self.skips, strict=True)
        ]
        y: Tensor = maps[-1]
        for step, factor, place in zip(self.steps, self.factors, self.order, strict=True):
            y = enlarge(y, factor=factor, mode="nearest")
            y = step(y if place is None else torch.cat([y, maps[place]], 1))
        return y

    def make_head(self, channels: int) -> nn.Module:
        """Return the transposed convolution to full resolution."""
        return transposed_head(self.out_channels, channels, self.stride, self.layers)


def create(encoder: str, in_channels: int, *, pretrained: bool) -> nn.Module:
    """Return timm's network that gives its maps as a list, finest first.

    Raises ValueError in one sentence where timm or what it imports is missing, or the name unknown.
    """
    timm = load_timm(encoder)
    if not timm.is_model(encoder):
        near = get_close_matches(encoder, timm.list_models(), n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else "timm.list_models() lists them"
        raise ValueError(f"timm has no model {encoder!r}; {hint}")
    try:
        net: nn.Module = timm.create_model(
            encoder, pretrained=pretrained, features_only=True, in_chans=in_channels
        )
    except (RuntimeError, ValueError, AttributeError, NotImplementedError, OSError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ValueError(f"timm cannot make {encoder!r} into an encoder ({reason})") from error
    return net


def load_timm(encoder: str) -> Any:
    """Import timm; it is slow to import, so this happens where one of its networks is asked for."""
    try:
        return importlib.import_module("timm")
    except ModuleNotFoundError as error:
        missing = (error.name or "timm").partition(".")[0]
        needs = "timm" if missing == "timm" else f"{missing}, which timm imports"
        raise ValueError(
            f"the backbone {PREFIX}{encoder} needs {needs}; install {EXTRA}"
        ) from error
    except (ImportError, RuntimeError, AttributeError) as error:
        raise ValueError(
            f"the backbone {PREFIX}{encoder} needs timm, which cannot be imported here "
            f"({str(error).splitlines()[0]}); install versions of torch, torchvision and timm that "
            "belong together"
        ) from error


def described(name: str, encoder: Any) -> tuple[list[int], list[int]]:
    """Return channels and strides of the encoder's maps; ValueError unless the strides double."""
    channels = [int(c) for c in encoder.feature_info.channels()]
    strides = [int(s) for s in encoder.feature_info.reduction()]
    if any(b != 2 * a for a, b in pairwise(strides)):
        raise ValueError(
            f"timm's {name!r} gives maps at the strides {strides}, which is no pyramid for a "
            "U-Net; choose a convolutional one such as resnet50 or convnext_tiny"
        )
    return channels, strides


@torch.no_grad()
def blind_to_coordinates(encoder: nn.Module, in_channels: int) -> None:
    """Undo timm's repetition of RGB kernels over further channels: those start with zeros.

    timm gives every input channel the kernel of one of the colours, times 3 / in_channels.
    """
    for weight in encoder.parameters():
        if weight.ndim == 4 and weight.shape[1] == in_channels:
            weight[:, :RGB] *= in_channels / RGB
            weight[:, RGB:] = 0
            return
