"""ResNet encoders (He et al., arXiv:1512.03385), plain, deep-stemmed or dilated.

Parameters carry torchvision's names (conv1, bn1, layer1.0.conv1, ...), so that its weights load.
"""

import torch
from torch import Tensor, nn

from embedseg.models.blocks import Layers

BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
DILATIONS = {32: (1, 1, 1, 1), 16: (1, 1, 1, 2), 8: (1, 1, 2, 4)}  # of the four stages


class BasicBlock(nn.Module):
    """ReLU(x + two 3x3 convolutions); a 1x1 convolution fits x where the shape changes."""

    expansion = 1

    def __init__(self, inputs: int, width: int, stride: int, dilation: int, layers: Layers) -> None:
        super().__init__()
        self.conv1 = layers.conv(inputs, width, stride=stride, dilation=dilation)
        self.bn1 = layers.norm(width)
        self.conv2 = layers.conv(width, width, dilation=dilation)
        self.bn2 = layers.norm(width)
        self.downsample = _fit(inputs, width, stride, layers)

    def residual(self, x: Tensor) -> Tensor:
        """Return the block without its last ReLU."""
        y: Tensor = torch.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return y + self.downsample(x)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, width, *S / stride)."""
        return torch.relu(self.residual(x))


class Bottleneck(nn.Module):
    """ReLU(x + 1x1, 3x3, 1x1 convolutions); the stride lies on the 3x3 one, as in torchvision."""

    expansion = 4

    def __init__(self, inputs: int, width: int, stride: int, dilation: int, layers: Layers) -> None:
        super().__init__()
        outputs = width * self.expansion
        self.conv1 = layers.conv(inputs, width, 1)
        self.bn1 = layers.norm(width)
        self.conv2 = layers.conv(width, width, stride=stride, dilation=dilation)
        self.bn2 = layers.norm(width)
        self.conv3 = layers.conv(width, outputs, 1)
        self.bn3 = layers.norm(outputs)
        self.downsample = _fit(inputs, outputs, stride, layers)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, 4 width, *S / stride)."""
        y = torch.relu(self.bn1(self.conv1(x)))
        y = torch.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return torch.relu(y + self.downsample(x))


class ResNet(nn.Module):
    """The convolutional part of a ResNet; `channels` are those of its four stages.

    `depth` is 18, 34, 50 or 101, `width` the channels of the first stage's 3x3 convolutions.

    `deep_stem` replaces the 7x7 convolution by three 3x3 ones of width, width, 2 width maps.
    `output_stride` 16 or 8 dilates the last stages instead of shrinking; `grid` multiplies the
    dilations of the last stage's blocks. `forward` returns the maps after the pooling (1/4) and
    after each stage.
    """

    def __init__(
        self,
        depth: int,
        in_channels: int,
        layers: Layers,
        *,
        width: int = 64,
        deep_stem: bool = False,
        output_stride: int = 32,
        grid: tuple[int, ...] = (1, 1, 1),
    ) -> None:
        super().__init__()
        if depth not in BLOCKS:
            raise ValueError(f"depth must be one of {tuple(BLOCKS)}, got {depth}")
        if width < 1:
            raise ValueError(f"width must be >= 1, got {width}; published: 64")
        kind = BasicBlock if depth < 50 else Bottleneck
        self.stem_channels = 2 * width if deep_stem else width
        if deep_stem:
            self.conv1: nn.Module = nn.Sequential(
                *layers.conv_norm_act(in_channels, width, stride=2),
                *layers.conv_norm_act(width, width),
                layers.conv(width, 2 * width),
            )
        else:
            self.conv1 = layers.conv(in_channels, width, 7, stride=2)
        self.bn1 = layers.norm(self.stem_channels)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        inputs, self.channels = self.stem_channels, []
        for k, (count, dilation) in enumerate(
            zip(BLOCKS[depth], DILATIONS[output_stride], strict=True)
        ):
            blocks = []
            for n in range(count):
                stride = 2 if k > 0 and n == 0 and dilation == 1 else 1
                spread = dilation * (grid[n % len(grid)] if k == 3 else 1)
                blocks.append(kind(inputs, width << k, stride, spread, layers))
                inputs = (width << k) * kind.expansion
            self.add_module(f"layer{k + 1}", nn.Sequential(*blocks))
            self.channels.append(inputs)

    def stem(self, x: Tensor) -> Tensor:
        """Return the maps at 1/2."""
        return torch.relu(self.bn1(self.conv1(x)))

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return five maps: pooled stem, then the stages."""
        maps = [self.maxpool(self.stem(x))]
        for k in range(1, 5):
            maps.append(self.get_submodule(f"layer{k}")(maps[-1]))
        return maps


def _fit(inputs: int, outputs: int, stride: int, layers: Layers) -> nn.Module:
    if stride == 1 and inputs == outputs:
        return nn.Identity()
    return nn.Sequential(layers.conv(inputs, outputs, 1, stride=stride), layers.norm(outputs))
