"""U-Net++ (Zhou et al., arXiv:1807.10165): nested decoders with dense skips."""

from typing import Literal

import torch
from torch import Tensor, nn

from embedseg.models.backbone import Backbone, Features
from embedseg.models.blocks import Layers, initialise
from embedseg.models.heads import SideHeads, kernel_head
from embedseg.models.unet import Form, check_widths, choose_form, double, make_up


def unet_plusplus(
    *,
    in_channels: int = 3,
    width: int = 32,
    depth: int = 4,
    max_width: int = 512,
    deep_supervision: bool = False,
    form: Literal["default", "shawnbit", "zju"] = "default",
    norm: Literal["batch", "group"] = "batch",
    ndim: int = 2,
) -> "UNetPlusPlus":
    """Return a U-Net++ with min(width * 2^i, max_width) channels at level i.

    `deep_supervision` gives every nested decoder X(0,1) .. X(0,depth) a head of its own; their
    mean is the output, as in the published forms. Forms as in `unet`; "zju" needs width=64,
    max_width=1024 for its published size, and its last convolutions are 1x1.
    """
    layers = Layers(ndim, norm)
    chosen = choose_form(form)
    if chosen.up in ("linear", "nearest"):
        raise ValueError(f"unet++ has no form {form!r}; use default, shawnbit or zju")
    widths = check_widths(width, depth, max_width)
    return UNetPlusPlus(in_channels, widths, layers, chosen, deep_supervision=deep_supervision)


class UNetPlusPlus(Backbone):
    """Nodes X(i,j) = block(up(X(i+1,j-1)), X(i,0), ..., X(i,j-1)); X(i,0) is the encoder."""

    stride = 1

    def __init__(
        self,
        in_channels: int,
        widths: list[int],
        layers: Layers,
        form: Form,
        *,
        deep_supervision: bool,
    ) -> None:
        super().__init__()
        self.layers, self.ndim = layers, layers.ndim
        self.in_channels, self.out_channels = in_channels, widths[0]
        self.depth = len(widths) - 1
        self.divisor = 1 << self.depth
        self.deep_supervision = deep_supervision
        self.pool = layers.pool()
        inputs = [in_channels, *widths[:-1]]
        self.down = nn.ModuleList(
            double(i, o, layers, bias=form.bias) for i, o in zip(inputs, widths, strict=True)
        )
        self.up, self.merge = nn.ModuleDict(), nn.ModuleDict()
        for level, j in self._nodes():
            w = widths[level]
            self.up[f"{level}_{j}"] = make_up(widths[level + 1], w, form, layers)
            self.merge[f"{level}_{j}"] = double(
                (j + 1) * w, w, layers, bias=form.bias, norm=form.decoder_norm
            )
        initialise(self)

    def _nodes(self) -> list[tuple[int, int]]:
        return [(i, j) for j in range(1, self.depth + 1) for i in range(self.depth + 1 - j)]

    def forward(self, x: Tensor) -> Features:
        """Return X(0,depth), with deep supervision followed by X(0,1) .. X(0,depth-1)."""
        rows: list[list[Tensor]] = []
        for level, block in enumerate(self.down):
            x = block(x if level == 0 else self.pool(x))
            rows.append([x])
        for level, j in self._nodes():
            raised = self.up[f"{level}_{j}"](rows[level + 1][j - 1])
            rows[level].append(self.merge[f"{level}_{j}"](torch.cat([raised, *rows[level]], 1)))
        decoders = rows[0][1:]
        return (decoders[-1], *decoders[:-1]) if self.deep_supervision else decoders[-1]

    def make_head(self, channels: int) -> nn.Module:
        """Return the 1x1 convolution, or the mean of one for each nested decoder."""
        count = self.depth if self.deep_supervision else 1
        heads = [kernel_head(self.out_channels, channels, 1, self.layers) for _ in range(count)]
        return SideHeads(heads, average=True) if self.deep_supervision else heads[0]
