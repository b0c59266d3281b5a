"""ICNet (Zhao et al., arXiv:1704.08545): a cascade over the image at 1, 1/2 and 1/4."""

from typing import Literal

import torch
from torch import Tensor, nn

from embedseg.models.backbone import Backbone, Decoder, Features
from embedseg.models.blocks import Layers, initialise, resize
from embedseg.models.heads import SideHeads, enlarged_head
from embedseg.models.pspnet import PyramidPooling
from embedseg.models.resnet import ResNet


def icnet(
    *,
    in_channels: int = 3,
    depth: int = 50,
    width: int = 64,
    deep_supervision: bool = False,
    deep_stem: bool = True,
    norm: Literal["batch", "group"] = "batch",
) -> "ICNet":
    """Return ICNet: 2 * width maps at 1/8; `deep_supervision` adds heads at 1/8 and 1/16.

    47,489,184 parameters for depth 50 with 19 classes and all heads. With batch norm it trains on
    two images or more at a time.

    `deep_stem=False` begins with one 7x7 convolution, as the weights of torchvision do.
    """
    layers = Layers(2, norm)
    encoder = ResNet(depth, in_channels, layers, width=width, deep_stem=deep_stem, output_stride=8)
    return ICNet(in_channels, encoder, width, layers, deep_supervision=deep_supervision)


class ICNet(Backbone):
    """The image at 1/2 runs through half of a PSPNet, its result at 1/4 through the rest."""

    stride = 8
    divisor = 32
    default_decoder: Decoder = "learned"

    def __init__(
        self,
        in_channels: int,
        encoder: ResNet,
        width: int,
        layers: Layers,
        *,
        deep_supervision: bool,
    ) -> None:
        super().__init__()
        self.layers, self.deep_supervision = layers, deep_supervision
        self.in_channels, self.out_channels = in_channels, 2 * width
        half = max(1, width // 2)
        self.fine = nn.Sequential(
            *layers.conv_norm_act(in_channels, half, stride=2),
            *layers.conv_norm_act(half, half, stride=2),
            *layers.conv_norm_act(half, width, stride=2),
        )
        self.encoder = encoder
        self.context = PyramidPooling(encoder.channels[3], 8 * width, layers)
        self.of_coarse = layers.conv_norm_act(8 * width, 4 * width, 1)
        self.of_middle = layers.conv_norm_act(encoder.channels[1], 4 * width, 1)
        self.fuse_middle = Cascade(4 * width, 4 * width, 2 * width, layers)
        self.fuse_fine = Cascade(2 * width, width, 2 * width, layers)
        initialise(self)

    def forward(self, x: Tensor) -> Features:
        """Return (B, 2 width, H/8, W/8), with deep supervision what the other heads read."""
        fine = self.fine(x)
        net = self.encoder
        y = net.maxpool(net.stem(resize(x, [s // 2 for s in x.shape[2:]])))
        middle = net.get_submodule("layer2")(net.get_submodule("layer1")(y))
        y = resize(middle, [s // 2 for s in middle.shape[2:]])
        y = self.context(net.get_submodule("layer4")(net.get_submodule("layer3")(y)))
        y, low1 = self.fuse_middle(self.of_coarse(y), self.of_middle(middle))
        y, low2 = self.fuse_fine(y, fine)
        return (y, low2, low1) if self.deep_supervision else y

    def make_head(self, channels: int) -> nn.Module:
        """Return the 1x1 convolution without bias, enlarged; with deep supervision three."""
        factors = (8, 8, 16) if self.deep_supervision else (8,)
        heads = [
            enlarged_head(self.out_channels, channels, factor, self.layers, bias=False)
            for factor in factors
        ]
        return SideHeads(heads, average=False) if self.deep_supervision else heads[0]


class Cascade(nn.Module):
    """Cascade feature fusion: ReLU(dilated 3x3 of the enlarged coarse + 1x1 of the fine maps)."""

    def __init__(self, coarse: int, fine: int, outputs: int, layers: Layers) -> None:
        super().__init__()
        self.of_coarse = nn.Sequential(
            layers.conv(coarse, outputs, dilation=2), layers.norm(outputs)
        )
        self.of_fine = nn.Sequential(layers.conv(fine, outputs, 1), layers.norm(outputs))

    def forward(self, coarse: Tensor, fine: Tensor) -> tuple[Tensor, Tensor]:
        """Return the fused maps, and the coarse part alone for the auxiliary head."""
        coarse = self.of_coarse(resize(coarse, fine.shape[2:]))
        return torch.relu(coarse + self.of_fine(fine)), coarse
