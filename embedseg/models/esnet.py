"""ESNet (Wang et al., arXiv:1906.09826): a symmetric network of factorised convolutions."""

from typing import Literal

import torch
from torch import Tensor, nn

from embedseg.models.backbone import Backbone
from embedseg.models.blocks import Layers, initialise
from embedseg.models.erfnet import EPS, FIRST_MAPS, Down, Factorised, axes, up_norm_act
from embedseg.models.heads import transposed_head

EARLY_DROPOUT, DROPOUT = 0.03, 0.3
DILATIONS = (2, 5, 9)  # of the parallel branches


def esnet(
    *, in_channels: int = 3, norm: Literal["batch", "group"] = "batch", ndim: int = 2
) -> "ESNet":
    """Return ESNet: 16 feature maps at half resolution (1,659,071 parameters with 19 classes)."""
    return ESNet(in_channels, Layers(ndim, norm, eps=EPS))


class ESNet(Backbone):
    """Blocks of kernel 3, 5 and parallel dilations on the way down; 5 and 3 on the way up."""

    out_channels = 16
    stride = 2
    divisor = 8

    def __init__(self, in_channels: int, layers: Layers) -> None:
        super().__init__()
        self.layers, self.ndim = layers, layers.ndim
        self.in_channels = in_channels
        start = FIRST_MAPS + in_channels
        self.steps = nn.Sequential(
            Down(in_channels, start, layers),
            *(Factorised(start, 3, 1, EARLY_DROPOUT, layers) for _ in range(3)),
            Down(start, 64, layers),
            *(Factorised(64, 5, 1, EARLY_DROPOUT, layers) for _ in range(2)),
            Down(64, 128, layers),
            *(ParallelFactorised(128, layers) for _ in range(3)),
            *up_norm_act(128, 64, layers),
            *(Factorised(64, 5, 1, 0.0, layers) for _ in range(2)),
            *up_norm_act(64, 16, layers),
            *(Factorised(16, 3, 1, 0.0, layers) for _ in range(2)),
        )
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, 16, *S / 2)."""
        x = self.steps(x)
        return x

    def make_head(self, channels: int) -> nn.Module:
        """Return the 2x2 transposed convolution to full resolution."""
        return transposed_head(self.out_channels, channels, 2, self.layers)


class ParallelFactorised(nn.Module):
    """A factorised 3x3, then three dilated ones side by side; ReLU(x + their sum).

    The three branches share one norm, as in the authors' code; each has its own dropout.
    """

    def __init__(self, channels: int, layers: Layers) -> None:
        super().__init__()
        self.first = nn.Sequential(
            *axes(channels, 3, 1, layers), layers.norm(channels), nn.ReLU(inplace=True)
        )
        self.branches = nn.ModuleList(
            nn.Sequential(*axes(channels, 3, d, layers)) for d in DILATIONS
        )
        self.shared_norm = layers.norm(channels)
        self.dropout = layers.dropout(DROPOUT)

    def forward(self, x: Tensor) -> Tensor:
        """Return the same shape."""
        y = self.first(x)
        parts = [self.dropout(self.shared_norm(branch(y))) for branch in self.branches]
        return torch.relu(x + torch.stack(parts).sum(0))
