"""EncNet (Zhang et al., arXiv:1803.08904): a learned codebook of global context."""

import math
from typing import Literal

import torch
from torch import Tensor, nn

from embedseg.models.backbone import Features
from embedseg.models.blocks import Layers, initialise
from embedseg.models.dilated import DilatedNet
from embedseg.models.resnet import ResNet

CODES = 32
DROPOUT = 0.1


def encnet(
    *,
    in_channels: int = 3,
    depth: int = 50,
    width: int = 64,
    lateral: bool = False,
    presence: int = 0,
    deep_supervision: bool = False,
    deep_stem: bool = True,
    norm: Literal["batch", "group"] = "batch",
) -> "EncNet":
    """Return EncNet: 8 * width maps at 1/8; with `deep_supervision` a second head on stage 3.

    `lateral` joins stages 2 and 3 before the codebook. `presence` > 0 adds that many outputs
    "presence" (B, presence) in training: which classes an image holds, for the semantic encoding
    loss; it teaches nothing where every image holds all classes. 35,996,505 parameters for depth
    50 and 54,988,633 for depth 101, with 19 classes, presence=19 and both heads.

    `deep_stem=False` begins with one 7x7 convolution, as the weights of torchvision do.
    """
    if presence < 0:
        raise ValueError(f"presence must be >= 0, got {presence}")
    layers = Layers(2, norm)
    encoder = ResNet(depth, in_channels, layers, width=width, deep_stem=deep_stem, output_stride=8)
    return EncNet(
        in_channels,
        encoder,
        8 * width,
        layers,
        lateral=lateral,
        presence=presence,
        deep_supervision=deep_supervision,
    )


class EncNet(DilatedNet):
    """3x3 reduction of the last stage, then `Encoding` weights the channels by global context."""

    side_bias = False

    def __init__(
        self,
        in_channels: int,
        encoder: ResNet,
        outputs: int,
        layers: Layers,
        *,
        lateral: bool,
        presence: int,
        deep_supervision: bool,
    ) -> None:
        super().__init__(in_channels, encoder, outputs, layers, deep_supervision=deep_supervision)
        second, third, last = encoder.channels[1:]
        self.side_width = third // 4
        self.reduce = layers.conv_norm_act(last, outputs)
        sources = (second, third) if lateral else ()
        self.laterals = nn.ModuleList(layers.conv_norm_act(s, outputs, 1) for s in sources)
        self.fuse = layers.conv_norm_act(3 * outputs, outputs) if lateral else nn.Identity()
        self.encoding = Encoding(outputs, layers)
        self.presence = nn.Linear(outputs, presence) if presence else None
        self.dropout = layers.dropout(DROPOUT)
        initialise(self)

    def forward(self, x: Tensor) -> Features:
        """Return (B, 8 width, H/8, W/8), with deep supervision followed by stage 3."""
        *_, second, third, last = self.encoder(x)
        y = self.reduce(last)
        if self.laterals:
            joined = [lateral(m) for lateral, m in zip(self.laterals, (second, third), strict=True)]
            y = self.fuse(torch.cat([y, *joined], 1))
        y, code = self.encoding(y)
        y = self.dropout(y)
        extra = [] if self.presence is None else [code]
        if self.deep_supervision:
            return (y, third, *extra)
        return (y, *extra) if extra else y

    def auxiliary(self, features: Features) -> dict[str, Tensor]:
        """Return the logits "presence" (B, presence)."""
        if self.presence is None:
            return {}
        return {"presence": self.presence(features[-1])}


class Encoding(nn.Module):
    """ReLU(x + x gamma), gamma from the residuals of all pixels to a learned codebook.

    With codes d_k and scales s_k: a_ik = softmax_k(s_k |x_i - d_k|^2), e_k = sum_i a_ik (x_i - d_k)
    over the pixels of a 1x1 convolution; norm over the codes, ReLU, mean over k (the paper: sum);
    gamma = sigmoid(linear).
    """

    def __init__(self, channels: int, layers: Layers) -> None:
        super().__init__()
        bound = 1 / math.sqrt(CODES * channels)
        self.project = layers.conv_norm_act(channels, channels, 1)
        self.codes = nn.Parameter(torch.empty(CODES, channels).uniform_(-bound, bound))
        self.scales = nn.Parameter(torch.empty(CODES).uniform_(-1, 0))
        self.norm = layers.norm(CODES)
        self.weigh = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the weighted maps (B, C, H, W) and the code vector (B, C)."""
        residuals = encode(self.project(x).flatten(2).transpose(1, 2), self.codes, self.scales)
        code = torch.relu(self.norm(residuals[..., None])[..., 0]).mean(1)
        gamma = torch.sigmoid(self.weigh(code))[:, :, None, None]
        return torch.relu(x + x * gamma), code


def encode(points: Tensor, codes: Tensor, scales: Tensor) -> Tensor:
    """Return (B, K, C): sum_i a_ik (x_i - d_k) for points (B, N, C), codes (K, C), scales (K,)."""
    products = points @ codes.T
    squares = points.square().sum(2, keepdim=True) - 2 * products + codes.square().sum(1)
    weights = (scales * squares).softmax(2)
    return weights.transpose(1, 2) @ points - weights.sum(1)[..., None] * codes
