"""An embedding network: coordinates, padding, a backbone, an embedding head and a semantic head."""

import inspect
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from embedseg.kinds import check_kinds
from embedseg.models.backbone import Backbone, Decoder, Features
from embedseg.models.blocks import Layers
from embedseg.models.context import build_context
from embedseg.models.heads import (
    FINEST_STRIDE,
    LearnedDecoder,
    PresenceHead,
    SideHeads,
    enlarged_head,
    first,
    pointwise_head,
    side_heads,
    transposed_head,
    with_first,
)
from embedseg.models.position import position_channels, position_maps
from embedseg.models.spatial import spatial_maps
from embedseg.names import unknown

DECODERS = ("auto", "published", "learned", "bilinear")
TRAINING_HEADS = ("border", "category", "presence")
CATEGORY_CHANNELS = 16  # of the published category consistent loss
CACHED_SIZES = 8  # coordinate maps kept; an epoch of random crops has one size
RARE = -3.0  # the logit of centres of an untrained head, which sees none and disturbs nothing


def build_network(  # noqa: PLR0913  (what a checkpoint stores of its network, flat)
    name: str,
    *,
    in_channels: int = 3,
    embedding_dim: int = 16,
    classes: int = 1,
    coordinates: bool = True,
    waves: Sequence[float] = (),
    decoder: Literal["auto", "published", "learned", "bilinear"] = "auto",
    output_stride: int = 1,
    seed_head: bool = False,
    centre_head: bool = False,
    training_heads: Sequence[str] = (),
    spatial: bool = False,
    place_unit: float = 0.0,
    options: Mapping[str, Any] | None = None,
) -> "EmbeddingNet":
    """Return the network of that `name` in `MODELS` or "timm:NAME", built with `options`.

    Every network also takes the option `context`, the name of a block of `CONTEXTS`.
    Raises ValueError for an unknown name or option, with the nearest one that exists.
    """
    from embedseg.models import MODELS, find_builder

    builder = find_builder(name)
    if in_channels < 1:
        raise ValueError(f"in_channels must be >= 1, got {in_channels}")
    options = dict(options or {})
    context = options.pop("context", None)
    known = [key for key in inspect.signature(builder).parameters if key != "in_channels"]
    for key in options:
        if key == "ndim" and options[key] == 3 and key not in known:
            able = [n for n, b in MODELS.items() if "ndim" in inspect.signature(b).parameters]
            raise ValueError(f"{name} has no 3D form (ndim=3); use one of {', '.join(able)}")
        if key not in known:
            raise unknown(f"{name} option", key, [*known, "context"])
    check_kinds(name, builder, {"context": context or "", **options})
    extra = position_channels(options.get("ndim", 2), coordinates, waves)
    backbone = builder(in_channels=in_channels + extra, **options)
    return EmbeddingNet(
        backbone,
        embedding_dim=embedding_dim,
        classes=classes,
        coordinates=coordinates,
        waves=waves,
        decoder=decoder,
        output_stride=output_stride,
        seed_head=seed_head,
        centre_head=centre_head,
        context=context,
        training_heads=training_heads,
        spatial=spatial,
        place_unit=place_unit,
    )


def single_heads(seed_head: bool, centre_head: bool) -> list[str]:
    """Return the names of the heads of one map that are asked for."""
    return [name for name, wanted in (("seed", seed_head), ("centre", centre_head)) if wanted]


class EmbeddingNet(nn.Module):
    """image (B, C, *S) -> {"embedding": (B, E, *T), "semantic": (B, K, *T)}, T = ceil(S / o).

    `coordinates` appends ndim + 1 channels: the position in [-1, 1] along x, y (and z), over the
    true extent of the image, and the radius sqrt(x^2 + y^2 (+ z^2)); `waves` appends the sine and
    cosine of each axis for each of these wavelengths in pixels (`position.py`). The backbone must
    have been built for as many channels more. The input is then padded at its far ends by repeating
    the border to a multiple of the backbone's `divisor`, and the outputs are cropped.

    `decoder`: "published" uses the network's own last layers, "learned" a shared light decoder
    (`LearnedDecoder`), "bilinear" one convolution of coarse features and interpolation, "auto"
    what suits the backbone. `output_stride` o > 1 gives outputs at
    1/o: cheaper, for a loss and a clusterer that work there. `seed_head` adds "seed" (B, 1, *T),
    the logit of how close a pixel's embedding is to its instance's mean (`losses/seed.py`);
    `centre_head` adds "centre" (B, 1, *T), that of whether an instance has its centre there
    (`losses/centre.py`).
    `context` names a block of `CONTEXTS` that the features pass before the heads. `spatial` makes
    "embedding" the place in the image that a pixel points to, so E is the number of axes, and adds
    "log_precision" (B, E, *T), how exactly it points, in units of `place_unit` pixels
    (`spatial.py`).

    `training_heads` add outputs that serve the training and exist in training alone: "border"
    (B, 1, *T), logits of borders between instances; "category" (B, 16, *T), features that a class
    should share; "presence" (B, K), logits of the classes that the image shows.
    In training a backbone with deep supervision adds "embedding_sides" and "semantic_sides",
    (D, B, channels, *S): the outputs of its D heads, each of which deserves the loss; and what
    else its `auxiliary` returns.
    """

    def __init__(  # noqa: PLR0913  (what a checkpoint stores of its network, flat)
        self,
        backbone: Backbone,
        *,
        embedding_dim: int = 16,
        classes: int = 1,
        coordinates: bool = True,
        waves: Sequence[float] = (),
        decoder: Literal["auto", "published", "learned", "bilinear"] = "auto",
        output_stride: int = 1,
        seed_head: bool = False,
        centre_head: bool = False,
        context: str | None = None,
        training_heads: Sequence[str] = (),
        spatial: bool = False,
        place_unit: float = 0.0,
    ) -> None:
        super().__init__()
        check_values(embedding_dim, classes, waves)
        self.ndim = backbone.ndim
        extra = position_channels(self.ndim, coordinates, waves)
        self.in_channels = backbone.in_channels - extra
        if self.in_channels < 1:
            raise ValueError(
                f"the backbone takes {backbone.in_channels} channels, which leaves none for the "
                f"image beside {extra} of position; build it with more or use coordinates=False"
            )
        self.embedding_dim, self.classes = embedding_dim, classes
        self.coordinates, self.waves = coordinates, tuple(waves)
        self.output_stride = output_stride
        self.decoder_kind = choose_decoder(backbone, decoder, output_stride)
        self.backbone = backbone
        layers = getattr(backbone, "layers", Layers(self.ndim))
        self.context = build_context(context, backbone.out_channels, layers) if context else None
        self.decoder: LearnedDecoder | None = None
        if self.decoder_kind == "learned":
            target = max(output_stride, FINEST_STRIDE)
            self.decoder = LearnedDecoder(
                backbone.out_channels, backbone.stride, target, backbone.in_channels, layers
            )
        channels = {"embedding": embedding_dim, "semantic": classes}
        self.heads = nn.ModuleDict({k: self._make_head(c, layers) for k, c in channels.items()})
        for name in single_heads(seed_head, centre_head):
            self.heads[name] = self._make_single_head(name, layers)
        self.spatial, self.place_unit = spatial, place_unit
        if spatial:
            if embedding_dim != self.ndim:
                raise ValueError(
                    f"spatial embeddings have one channel for each of the {self.ndim} axes, got "
                    f"embedding_dim={embedding_dim}"
                )
            self.heads["log_precision"] = self._make_head(embedding_dim, layers)
        self.sides = nn.ModuleDict()
        if getattr(backbone, "deep_supervision", False) and not self._published:
            for name, count in channels.items():
                self.sides[name] = side_heads(backbone.make_head(count))
        self._positioned = extra > 0
        self.training_heads = nn.ModuleDict(
            {name: self._make_training_head(name, layers) for name in training_heads}
        )
        self._maps: dict[tuple[Any, ...], Tensor] = {}

    @property
    def _published(self) -> bool:
        """Whether the heads are the backbone's own."""
        return self.decoder_kind == "published" and self.output_stride == 1

    def _make_head(self, channels: int, layers: Layers) -> nn.Module:
        if self.decoder is not None:
            factor = self.decoder.stride // self.output_stride
            return transposed_head(self.decoder.out_channels, channels, factor, layers)
        if self.decoder_kind == "bilinear":
            stride = self.backbone.stride
            return enlarged_head(self.backbone.out_channels, channels, stride, layers, bias=True)
        if self.output_stride == 1:
            return self.backbone.make_head(channels)
        return pointwise_head(self.backbone.out_channels, channels, layers)

    def _make_single_head(self, name: str, layers: Layers) -> nn.Module:
        head = self._make_head(1, layers)
        if name == "centre":
            silence(head)
        return head

    def _make_training_head(self, name: str, layers: Layers) -> nn.Module:
        if name not in TRAINING_HEADS:
            raise unknown("training head", name, TRAINING_HEADS)
        if name == "presence":
            source = self.decoder or self.backbone
            return PresenceHead(int(source.out_channels), self.classes)
        return self._make_head(CATEGORY_CHANNELS if name == "category" else 1, layers)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Return the outputs for an image batch of any size."""
        self._check(image)
        size = image.shape[2:]
        x = torch.cat([image, self._position(image)], 1) if self._positioned else image
        x = pad_to_multiple(x, self.backbone.divisor)
        found, places = self.backbone(x), self.backbone.head_branches
        branches = [self._in_context(part) for part in (found if places else (found,))]
        features, read = branches[0], [self._read(part, x) for part in branches]
        keep = [-(-s // self.output_stride) for s in size]
        out = {n: crop(head(read[places.get(n, 0)]), keep) for n, head in self.heads.items()}
        if "centre" in out:
            out["centre"] = out["centre"] + RARE
        if self.spatial:
            out["embedding"], out["log_precision"] = spatial_maps(
                out["embedding"], out["log_precision"], size, self.output_stride, self.place_unit
            )
        if not self.training:
            out["semantic"] = self.backbone.decide(out["semantic"], features)
        else:
            out |= self._side_outputs(features, out, keep)
            extra = self.backbone.auxiliary(features)
            shared = read[places.get("semantic", 0)]
            extra |= {name: head(shared) for name, head in self.training_heads.items()}
            out |= {
                k: crop(v, keep if k in self.training_heads else size) if v.ndim > 3 else v
                for k, v in extra.items()
            }
        return out

    def _in_context(self, features: Features) -> Features:
        """Return the features of a branch with what they see of the whole picture."""
        if self.context is None:
            return features
        return with_first(features, self.context(first(features)))

    def _read(self, features: Features, x: Tensor) -> Features:
        """Return what the heads of a branch read."""
        if self.decoder is not None:
            return self.decoder(features, x)
        return features if self._published else first(features)

    def _side_outputs(
        self, features: Features, out: dict[str, Tensor], size: Sequence[int]
    ) -> dict[str, Tensor]:
        """Return "embedding_sides" and "semantic_sides" where the backbone has deep supervision."""
        found: dict[str, Tensor] = {}
        grid: Any = (..., *[slice(None, None, self.output_stride)] * self.ndim)
        for name, head in (self.heads if self._published else self.sides).items():
            if name in ("embedding", "semantic") and isinstance(head, SideHeads):
                apart = self._published and not head.average  # its first head gave the main output
                rest = features if self._published and head.average else features[1:]
                sides = [crop(side[grid], size) for side in head.sides(rest, int(apart))]
                sides = [out[name], *sides] if apart or not self._published else sides
                found[f"{name}_sides"] = torch.stack(sides)
        return found

    def _check(self, image: Tensor) -> None:
        if image.ndim != self.ndim + 2 or image.shape[1] != self.in_channels:
            axes = "height, width" if self.ndim == 2 else "depth, height, width"
            raise ValueError(
                f"image must be (batch, {self.in_channels}, {axes}), got {tuple(image.shape)}"
            )

    def _position(self, image: Tensor) -> Tensor:
        size = tuple(image.shape[2:])
        key = (*size, image.device, image.dtype)
        maps = None if _recording() else self._maps.get(key)
        if maps is None:
            maps = position_maps(size, self.coordinates, self.waves, image.device, image.dtype)
            if not _recording():
                if len(self._maps) >= CACHED_SIZES:
                    self._maps.clear()
                self._maps[key] = maps
        return maps.expand(image.shape[0], *maps.shape)


def check_values(embedding_dim: int, classes: int, waves: Sequence[float]) -> None:
    """Refuse sizes that make no network."""
    for key, value in (("embedding_dim", embedding_dim), ("classes", classes)):
        if value < 1:
            raise ValueError(f"{key} must be >= 1, got {value}")
    if not all(2 <= wave < math.inf for wave in waves):
        raise ValueError(f"waves are wavelengths of at least 2 pixels, got {list(waves)}")


def silence(head: nn.Module) -> None:
    """Zero the last layers of a head of one map: it begins with 0, whatever it is given.

    A head that joins learned features would else send them steep gradients of its own noise.
    """
    for layer in head.modules():
        if isinstance(layer, nn.modules.conv._ConvNd) and layer.out_channels == 1:
            nn.init.zeros_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def pad_to_multiple(x: Tensor, divisor: int) -> Tensor:
    """Repeat the far borders of (B, C, *S) until every size is a multiple of `divisor`."""
    pads = [v for s in reversed(x.shape[2:]) for v in (0, -s % divisor)]
    return functional.pad(x, pads, mode="replicate") if _recording() or any(pads) else x


def crop(x: Tensor, size: Sequence[int]) -> Tensor:
    """Cut the far ends of (..., *T) so that `size` remains."""
    given = x.shape[-len(size) :]
    pads = [v for s, t in zip(size[::-1], list(given)[::-1], strict=True) for v in (0, s - t)]
    return functional.pad(x, pads) if _recording() or any(pads) else x


def _recording() -> bool:
    """Tell whether the network is being exported: then nothing may depend on this one size."""
    return torch.compiler.is_compiling() or bool(torch._C._get_tracing_state())


def choose_decoder(backbone: Backbone, wish: str, output_stride: int) -> Decoder:
    """Return the decoder for these strides; ValueError where the wished one cannot serve."""
    if wish not in DECODERS:
        raise unknown("decoder", wish, DECODERS)
    stride, own = backbone.stride, type(backbone).__name__
    if output_stride < 1 or math.log2(output_stride) % 1 or output_stride > stride:
        choices = [1 << k for k in range(int(math.log2(stride)) + 1)]
        raise ValueError(f"output_stride of {own} must be one of {choices}, got {output_stride}")
    if output_stride == stride > 1 or stride == 1:
        possible = ["published"]  # the features are already there
    elif output_stride > 1:
        possible = ["learned"]  # between the features and the image
    else:
        possible = ["published", "learned", "bilinear"]
    if wish == "auto":
        wish = backbone.default_decoder if backbone.default_decoder in possible else possible[0]
    if wish not in possible:
        raise ValueError(
            f"decoder={wish!r} cannot bring {own} (features at 1/{stride}) to "
            f"output_stride={output_stride}; use decoder={possible[0]!r}"
        )
    return wish  # type: ignore[return-value]  # one of DECODERS, and not "auto"
