"""Stacked U-Nets, each seeing the picture and the one before (Newell et al., arXiv:1603.06937)."""

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from embedseg.models.backbone import Backbone, Features
from embedseg.models.blocks import Layers, space_to_depth
from embedseg.models.heads import SideHeads
from embedseg.models.unet import Form, UNet, check_stem, check_widths, choose_form, last_layers


def stacked_unet(  # noqa: PLR0913  (the options of `unet`, and two)
    *,
    in_channels: int = 3,
    width: int = 32,
    depth: int = 4,
    max_width: int = 512,
    stem_stride: int = 1,
    stages: int = 2,
    deep_supervision: bool = False,
    form: Literal["default", "shawnbit", "zju", "leejunhyun", "bilinear"] = "default",
    norm: Literal["batch", "group"] = "batch",
    ndim: int = 2,
) -> "StackedUNet":
    """Return `stages` U-Nets in a row; the other options are those of `unet`, for each of them.

    Each but the first sees the features of the one before beside the picture, so it can mend what
    the one before took for one object or for two. `deep_supervision` gives every stage heads of its
    own; the last ones' are the output. From the weights of a plain `unet` of these options every
    stage begins as a copy of it, and sees nothing yet of the one before (`adopted`).
    """
    if stages < 2:
        raise ValueError(f"stages must be at least 2, got {stages}; one stage is a unet")
    check_stem(stem_stride)
    return StackedUNet(
        in_channels,
        check_widths(width, depth, max_width),
        stem_stride,
        Layers(ndim, norm),
        choose_form(form),
        stages=stages,
        deep_supervision=deep_supervision,
    )


class StackedUNet(Backbone):
    """U-Nets on the picture's blocks of `stem_stride` pixels, each with the features before it."""

    def __init__(
        self,
        in_channels: int,
        widths: list[int],
        stem_stride: int,
        layers: Layers,
        form: Form,
        *,
        stages: int,
        deep_supervision: bool,
    ) -> None:
        super().__init__()
        self.layers, self.form, self.ndim = layers, form, layers.ndim
        self.in_channels, self.out_channels = in_channels, widths[0]
        self.stride = stem_stride
        self.divisor = stem_stride << (len(widths) - 1)
        self.deep_supervision = deep_supervision
        blocks = in_channels * stem_stride**self.ndim
        self.stages = nn.ModuleList(
            UNet(blocks + (widths[0] if stage else 0), widths, 1, layers, form)
            for stage in range(stages)
        )

    def forward(self, x: Tensor) -> Features:
        """Return the last stage's (B, out_channels, *S / stride), and then those before it."""
        x = space_to_depth(x, self.stride)
        features = [self.stages[0](x)]
        for stage in self.stages[1:]:
            features.append(stage(torch.cat([x, features[-1]], 1)))
        return tuple(features[::-1]) if self.deep_supervision else features[-1]

    def make_head(self, channels: int) -> nn.Module:
        """Return the last layers of a U-Net, or those of each stage, the last stage's first."""
        count = len(self.stages) if self.deep_supervision else 1
        heads = [
            last_layers(self.out_channels, channels, self.stride, self.form, self.layers)
            for _ in range(count)
        ]
        return SideHeads(heads, average=False) if self.deep_supervision else heads[0]

    def adopted(self, state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the weights of a network with one U-Net as those of the network around this.

        `own` are the names and shapes of that network. Every stage becomes a copy; the kernels that
        read the stage before are zeros, so that all outputs stay those of the one U-Net. Weights of
        another kind are returned as they are.
        """
        if "backbone.down.0.0.weight" not in state:
            return dict(state)
        found: dict[str, Tensor] = {}
        stages = range(len(self.stages))
        for name, value in state.items():
            part, _, rest = name.partition(".")
            kind, _, inner = rest.partition(".")
            copies = [name]
            if part == "backbone":
                copies = [f"backbone.stages.{stage}.{rest}" for stage in stages]
            elif f"{part}.{kind}.heads.0.{inner}" in own:
                copies = [f"{part}.{kind}.heads.{stage}.{inner}" for stage in stages]
            found |= {copy: with_zeros(value, own.get(copy)) for copy in copies}
        return found


def with_zeros(kernel: Tensor, goal: Tensor | None) -> Tensor:
    """Return a kernel (O, I, ...) with zeros for the further inputs that `goal` reads."""
    if goal is None or goal.ndim < 3 or goal.shape[1] <= kernel.shape[1]:
        return kernel
    return torch.cat([kernel, torch.zeros_like(goal[:, kernel.shape[1] :])], 1)
