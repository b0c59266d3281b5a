"""SINet (Park et al., arXiv:1911.09099): spatial squeeze modules and information blocking."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from embedseg.models.backbone import Backbone, Decoder, Features
from embedseg.models.blocks import Layers, enlarge, initialise, resize
from embedseg.models.lednet import shuffle
from embedseg.names import unknown

EPS = 1e-3  # of every norm
LEAST = 2  # output channels of the published decoders
Branch = tuple[int, int]  # kernel, squeeze: sizes of the convolution and of the mean pooling


class Form(NamedTuple):
    """One published form: widths, and for every module its branches."""

    stem: int
    entry: int  # channels of the first halving that modules follow
    stages: tuple[tuple[int, tuple[tuple[Branch, ...], ...]], ...]  # channels, modules
    split: bool  # (k x 1) + (1 x k) kernels; squeeze 0 then means a plain 3x3
    early: bool  # one more halving before the modules, whose width is the number of classes


PORTRAIT = Form(
    stem=12,
    entry=16,
    stages=(
        (48, (((3, 1), (5, 1)), ((3, 1), (3, 1)))),
        (
            96,
            (
                ((3, 1), (5, 1)),
                ((3, 1), (3, 1)),
                ((5, 1), (3, 2)),
                ((5, 2), (3, 4)),
                ((3, 1), (3, 1)),
                ((5, 1), (5, 1)),
                ((3, 2), (3, 4)),
                ((3, 1), (5, 2)),
            ),
        ),
    ),
    split=False,
    early=False,
)
CITYSCAPES = Form(
    stem=16,
    entry=24,
    stages=(
        (60, (((3, 1), (5, 1)), ((3, 0), (3, 1)), ((3, 0), (3, 1)))),
        (
            84,
            (
                ((3, 1), (5, 1)),
                ((3, 0), (3, 1)),
                ((5, 1), (5, 4)),
                ((3, 2), (5, 8)),
                ((3, 1), (5, 1)),
            ),
        ),
        (
            108,
            (
                ((3, 1), (5, 1)),
                ((3, 0), (3, 1)),
                ((5, 1), (5, 8)),
                ((3, 2), (5, 4)),
                ((3, 0), (5, 2)),
            ),
        ),
    ),
    split=True,
    early=True,
)
FORMS = {"portrait": PORTRAIT, "cityscapes": CITYSCAPES}


def sinet(
    *,
    in_channels: int = 3,
    form: Literal["portrait", "cityscapes"] = "portrait",
    early_width: int = 19,
    norm: Literal["batch", "group"] = "batch",
) -> "SINet":
    """Return SINet: 144 maps at 1/8, in the form for "cityscapes" 168 at 1/16.

    86,910 parameters with two classes, 119,418 with 19. The published decoders work in class
    space and need at least two output channels: they let finer information in where no class is
    sure, and of one alone the softmax always is. In the form for "cityscapes" the maps at 1/4,
    `early_width` of them, are added to the scores there: its published decoder needs as many output
    channels.
    """
    if form not in FORMS:
        raise unknown("form", form, FORMS)
    if early_width < 1:
        raise ValueError(f"early_width must be >= 1, got {early_width}; published: 19")
    return SINet(in_channels, FORMS[form], early_width, Layers(2, norm, eps=EPS))


class SINet(Backbone):
    """Two levels of modules, the last at `stride`; their entries are appended to their results."""

    default_decoder: Decoder = "learned"

    def __init__(self, in_channels: int, form: Form, early_width: int, layers: Layers) -> None:
        super().__init__()
        self.layers, self.form = layers, form
        self.in_channels = in_channels
        self.early_width = early_width if form.early else 0
        self.stride = self.divisor = 16 if form.early else 8
        (fine, fine_modules), *coarse = form.stages
        self.fine, last = fine, coarse[-1][0]
        self.out_channels = fine + last
        self.stem = layers.conv_norm_prelu(in_channels, form.stem, stride=2)
        inputs, self.early = form.stem, None
        if form.early:
            self.early = SqueezedSeparable(inputs, early_width, 1, layers)
            inputs = early_width
        self.enter = SqueezedSeparable(inputs, form.entry, 1, layers)
        self.fine_stage = _modules(form.entry, [(fine, fine_modules)], form, layers)
        self.fine_join = layers.norm_prelu(form.entry + fine)
        self.down = SqueezedSeparable(form.entry + fine, fine, 2, layers)
        self.coarse_stage = _modules(fine, coarse, form, layers)
        self.coarse_join = layers.norm_prelu(self.out_channels)
        initialise(self)

    def forward(self, x: Tensor) -> Features:
        """Return the last maps, the finer ones and, if any, the early ones at 1/4."""
        x = self.stem(x)
        early = [] if self.early is None else [self.early(x)]
        x = self.enter(early[0] if early else x)
        fine = self.fine_stage(x)
        x = self.down(self.fine_join(torch.cat([x, fine], 1)))
        x = self.coarse_join(torch.cat([x, self.coarse_stage(x)], 1))
        return x, fine, *early

    def make_head(self, channels: int) -> nn.Module:
        """Return the information-blocking decoder."""
        if channels < LEAST:
            raise ValueError(
                f"the published decoder needs at least {LEAST} output channels, got {channels}; "
                f"use decoder='learned'"
            )
        if self.early_width not in (0, channels):
            raise ValueError(
                f"the published decoder adds {self.early_width} maps to {channels} scores; "
                f"use early_width={channels} or decoder='learned'"
            )
        return BlockingDecoder(
            self.out_channels, self.fine, channels, self.layers, early=bool(self.early_width)
        )


class Squeezed(nn.Module):
    """Mean pooling, depthwise convolution, norm, PReLU, 1x1, enlargement, norm.

    With `split` the convolution is the sum of a (k x 1) and a (1 x k) one, each with a norm,
    unless `squeeze` is 0: then it is a plain 3x3.
    """

    def __init__(
        self, inner: int, outputs: int, branch: Branch, layers: Layers, *, split: bool
    ) -> None:
        super().__init__()
        kernel, self.squeeze = branch
        sizes: list[int | tuple[int, int]] = [kernel]
        if split:
            sizes = [(kernel, 1), (1, kernel)] if self.squeeze else [3]
        self.convs = nn.ModuleList(
            nn.Sequential(layers.conv(inner, inner, size, groups=inner), layers.norm(inner))
            for size in sizes
        )
        self.project = nn.Sequential(nn.PReLU(inner), layers.conv(inner, outputs, 1))
        self.norm = layers.norm(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, outputs, H, W)."""
        size = x.shape[2:]
        if self.squeeze > 1:
            x = functional.avg_pool2d(x, self.squeeze, ceil_mode=True)
        x = self.project(torch.stack([conv(x) for conv in self.convs]).sum(0))
        if self.squeeze > 1:
            x = resize(x, size)
        x = self.norm(x)
        return x


class Module(nn.Module):
    """Grouped 1x1, shuffle, the branches side by side; PReLU(norm(...)), x added if it fits."""

    def __init__(
        self, inputs: int, outputs: int, branches: Sequence[Branch], layers: Layers, *, split: bool
    ) -> None:
        super().__init__()
        self.adds, self.groups = inputs == outputs, len(branches)
        inner = outputs // self.groups
        self.reduce = layers.conv(inputs, inner, 1, groups=self.groups)
        self.branches = nn.ModuleList(
            Squeezed(inner, inner, branch, layers, split=split) for branch in branches
        )
        self.act = layers.norm_prelu(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, outputs, H, W)."""
        shuffled = shuffle(self.reduce(x), self.groups)
        y = torch.cat([branch(shuffled) for branch in self.branches], 1)
        x = self.act(x + y if self.adds else y)
        return x


class SqueezedSeparable(nn.Module):
    """Halves the size: depthwise 3x3, channel weights from the means, 1x1, norm, PReLU."""

    def __init__(self, inputs: int, outputs: int, divide: int, layers: Layers) -> None:
        super().__init__()
        self.depthwise = layers.conv(inputs, inputs, stride=2, groups=inputs)
        inner = inputs // divide
        steps: list[nn.Module] = [nn.Linear(inputs, inner), nn.PReLU(inner)]
        if divide > 1:
            steps += [nn.Linear(inner, inputs), nn.PReLU(inputs)]
        self.weigh = nn.Sequential(*steps)
        self.project = layers.conv_norm_prelu(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return maps of half the size."""
        x = self.depthwise(x)
        x = self.project(x * self.weigh(x.mean((2, 3)))[:, :, None, None])
        return x


class BlockingDecoder(nn.Module):
    """Coarse scores let finer information in only where they are unsure: gate 1 - max softmax."""

    def __init__(
        self, inputs: int, fine: int, channels: int, layers: Layers, *, early: bool
    ) -> None:
        super().__init__()
        self.score = layers.conv(inputs, channels, 1)
        self.norms = nn.ModuleList(layers.norm(channels) for _ in range(2))
        self.of_fine = layers.conv_norm_prelu(fine, channels, 1)
        self.last = layers.up(channels, channels, bias=False) if early else None
        self.plain = None if early else layers.conv(channels, channels)
        initialise(self)

    def forward(self, features: tuple[Tensor, ...]) -> Tensor:
        """Return (B, channels, H, W), with early maps at half resolution."""
        x, fine, *early = features
        x = self.norms[0](enlarge(self.score(x)))
        x = self.norms[1](enlarge(x + gate(x) * self.of_fine(fine)))
        if self.plain is not None:
            x = self.plain(enlarge(x))
        elif self.last is not None:
            x = enlarge(self.last(x + gate(x) * early[0]))
        return x


def gate(scores: Tensor) -> Tensor:
    """Return 1 - the largest class probability, (B, 1, H, W)."""
    return 1 - scores.softmax(1).amax(1, keepdim=True)


def _modules(
    inputs: int,
    stages: Sequence[tuple[int, tuple[tuple[Branch, ...], ...]]],
    form: Form,
    layers: Layers,
) -> nn.Sequential:
    modules = []
    for width, rows in stages:
        for branches in rows:
            modules.append(Module(inputs, width, branches, layers, split=form.split))
            inputs = width
    return nn.Sequential(*modules)
