"""What every network of this folder offers to the heads that stand on it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from torch import Tensor, nn

Decoder = Literal["published", "learned", "bilinear"]
Features = Tensor | tuple[Tensor, ...]


class Backbone(nn.Module):
    """A fully convolutional network without its last layer.

    `forward(x)` takes (B, in_channels, *S), every size a multiple of `divisor`, and returns
    features: either one tensor (B, out_channels, *S / stride), or a tuple whose first entry is
    that tensor and whose rest only the published head reads.

    `make_head(channels)` returns the published last layers, features -> (B, channels, *S), so that
    `head(backbone(x))` is the published network and its parameters are the published ones.

    `default_decoder` names the head that suits an embedding: "published" where the network
    restores full resolution by learned layers, "learned" where it would interpolate between
    embeddings (a 1x1 convolution at 1/8, enlarged) or decodes in class space.

    A network that ends in several branches returns a tuple with one such tensor for each;
    `head_branches` names the entry that a head of `EmbeddingNet` reads, the first one if absent.
    """

    in_channels: int
    out_channels: int
    stride: int
    divisor: int
    ndim: int = 2
    default_decoder: Decoder = "published"
    head_branches: Mapping[str, int] = MappingProxyType({})

    def forward(self, x: Tensor) -> Features:
        """Return the features of `x`."""
        raise NotImplementedError

    def make_head(self, channels: int) -> nn.Module:
        """Return the published last layers for `channels` output maps."""
        raise NotImplementedError

    def auxiliary(self, features: Features) -> dict[str, Tensor]:
        """Return further outputs that serve the training, by name; maps at full resolution."""
        del features
        return {}

    @property
    def decides(self) -> bool:
        """Whether the network decides that an image holds no object, learnt from "presence"."""
        return False

    def decide(self, semantic: Tensor, features: Features) -> Tensor:
        """Return the semantic logits (B, K, *S) after that decision; outside training only."""
        del features
        return semantic
