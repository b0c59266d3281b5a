"""GALD-Net (Li et al., arXiv:1909.07229): aggregate globally, distribute by a local mask."""

from typing import Literal

import torch
from torch import Tensor, nn

from embedseg.models.backbone import Features
from embedseg.models.blocks import Layers, initialise, resize
from embedseg.models.dilated import DilatedNet
from embedseg.models.resnet import ResNet

GROUPS = 8  # of the global attention; each has its own weight
GRID = (1, 2, 4)  # multiplies the dilations of the last stage


def galdnet(
    *,
    in_channels: int = 3,
    depth: int = 50,
    width: int = 64,
    deep_supervision: bool = False,
    deep_stem: bool = True,
    norm: Literal["batch", "group"] = "batch",
) -> "GALDNet":
    """Return GALD-Net: 8 * width maps at 1/8; with `deep_supervision` a second head on stage 3.

    52,402,662 parameters for depth 50 and 71,394,790 for depth 101, with 19 classes and both
    heads. Its strided depthwise convolutions are padded here, so that small images work.

    `deep_stem=False` begins with one 7x7 convolution, as the weights of torchvision do.
    """
    layers = Layers(2, norm)
    encoder = ResNet(
        depth, in_channels, layers, width=width, deep_stem=deep_stem, output_stride=8, grid=GRID
    )
    return GALDNet(in_channels, encoder, 8 * width, layers, deep_supervision=deep_supervision)


class GALDNet(DilatedNet):
    """Reduction, `GALDBlock`, convolution; appended to the encoder's maps, and fused."""

    def __init__(
        self,
        in_channels: int,
        encoder: ResNet,
        outputs: int,
        layers: Layers,
        *,
        deep_supervision: bool,
    ) -> None:
        super().__init__(in_channels, encoder, outputs, layers, deep_supervision=deep_supervision)
        last = encoder.channels[3]
        self.reduce = layers.conv_norm_act(last, outputs)
        self.context = GALDBlock(outputs, layers)
        self.refine = layers.conv_norm_act(outputs, outputs)
        self.fuse = layers.conv_norm_act(last + outputs, outputs)
        initialise(self)

    def forward(self, x: Tensor) -> Features:
        """Return (B, 8 width, H/8, W/8), with deep supervision followed by stage 3."""
        *_, third, last = self.encoder(x)
        y = self.refine(self.context(self.reduce(last)))
        y = self.fuse(torch.cat([last, y], 1))
        return (y, third) if self.deep_supervision else y


class GALDBlock(nn.Module):
    """2 y + y mask: y = enlarge(global(half x)), mask = sigmoid of y seen at 1/8 of its size.

    The mask lets small objects keep what the global mean would wash out.
    """

    def __init__(self, channels: int, layers: Layers) -> None:
        super().__init__()
        self.down = _halve(channels, layers)
        self.globally = GroupedGlobal(channels, layers)
        self.mask = nn.Sequential(*(_halve(channels, layers) for _ in range(3)))

    def forward(self, x: Tensor) -> Tensor:
        """Return the same shape."""
        size = x.shape[2:]
        y = resize(self.globally(self.down(x)), size)
        mask = torch.sigmoid(resize(self.mask(y), size))
        return 2 * y + y * mask


class GroupedGlobal(nn.Module):
    """x + norm(z(w_g t)), one weight w_g = <p, g> per group: compact generalised non-local.

    t, p, g are 1x1 convolutions to half of the channels, z a grouped one back. The products are
    divided by the square root of their length; the norm, of one group per weight, undoes that.
    """

    def __init__(self, channels: int, layers: Layers) -> None:
        super().__init__()
        self.groups = GROUPS if channels % (2 * GROUPS) == 0 else 1
        inner = max(1, channels // 2)
        self.t, self.p, self.g = (layers.conv(channels, inner, 1) for _ in range(3))
        self.z = layers.conv(inner, channels, 1, groups=self.groups)
        self.norm = nn.GroupNorm(self.groups, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return the same shape."""
        t, p, g = (conv(x) for conv in (self.t, self.p, self.g))
        batch, inner, height, width = t.shape
        shape = (batch, self.groups, -1)
        p, g = p.reshape(shape), g.reshape(shape)
        weights = (p * g).sum(2, keepdim=True) / p.shape[2] ** 0.5
        weighted = (t.reshape(shape) * weights).reshape(batch, inner, height, width)
        y: Tensor = x + self.norm(self.z(weighted))
        return y


def _halve(channels: int, layers: Layers) -> nn.Sequential:
    return layers.conv_norm_act(channels, channels, stride=2, groups=channels, bias=True)
