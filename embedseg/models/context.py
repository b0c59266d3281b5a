"""Context and attention blocks that may follow any backbone, by name."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from embedseg.models.bisenet import FeatureFusion, Refinement
from embedseg.models.blocks import Layers, initialise
from embedseg.models.cbam import BlockAttention
from embedseg.models.ccnet import CrissCross
from embedseg.models.dfn import ChannelAttention, RefineResidual
from embedseg.models.encnet import Encoding
from embedseg.models.galdnet import GALDBlock
from embedseg.models.pspnet import PyramidPooling
from embedseg.models.scse import SqueezeExcite
from embedseg.names import unknown


class Weighted(nn.Module):
    """An `Encoding` whose code vector nobody reads."""

    def __init__(self, channels: int, layers: Layers) -> None:
        super().__init__()
        self.encoding = Encoding(channels, layers)

    def forward(self, x: Tensor) -> Tensor:
        """Return the same shape."""
        y: Tensor = self.encoding(x)[0]
        return y


class AgainstTheWhole(nn.Module):
    """DFN's topmost stage: `ChannelAttention` of the maps and of the picture's means.

    The means pass a 1x1 convolution and ReLU; without DFN's norm, which one picture cannot have.
    """

    def __init__(self, channels: int, layers: Layers) -> None:
        super().__init__()
        self.globally = layers.conv(channels, channels, 1, bias=True)
        self.attend = ChannelAttention(channels, layers)

    def forward(self, x: Tensor) -> Tensor:
        """Return the same shape."""
        means = torch.relu(self.globally(x.mean((2, 3), keepdim=True)))
        y: Tensor = self.attend(x, means.expand_as(x))
        return y


CONTEXTS: dict[str, Callable[[int, Layers], nn.Module]] = {
    "attention-refinement": lambda c, layers: Refinement(c, c, layers),
    "cbam": BlockAttention,
    "channel-attention": AgainstTheWhole,
    "criss-cross": CrissCross,
    "encoding": Weighted,
    "feature-fusion": lambda c, layers: FeatureFusion(c, c, layers),
    "gald": GALDBlock,
    "pyramid": lambda c, layers: PyramidPooling(c, c, layers),
    "refine-residual": lambda c, layers: RefineResidual(c, c, layers),
    "scse": SqueezeExcite,
}
"""name -> builder(channels, layers) of a block that keeps the shape."""
THREE_DIMENSIONAL = ("cbam", "refine-residual", "scse")


def build_context(name: str, channels: int, layers: Layers) -> nn.Module:
    """Return the block of that name for `channels` maps; ValueError where it has no 3D form."""
    if name not in CONTEXTS:
        raise unknown("context", name, CONTEXTS)
    if layers.ndim == 3 and name not in THREE_DIMENSIONAL:
        raise ValueError(
            f"context {name!r} has no 3D form; use one of {', '.join(THREE_DIMENSIONAL)}"
        )
    block = CONTEXTS[name](channels, layers)
    initialise(block)
    return block
