"""The outputs of several views and several networks joined into one, without averaging embeddings.

Two runs, or two views of one run, place an instance anywhere in their own spaces: the mean of two
embeddings means nothing, but the mean of two squared *distances* does. Concatenating the T aligned
embeddings, each scaled by 1/sqrt(T), gives vectors with

    |e_p - e_q|^2 = 1/T sum_t |e_p^t - e_q^t|^2

so that what every member holds within delta_v stays within delta_v, what it holds 2 delta_d apart
stays so, and one clustering with the same bandwidth serves all. Probabilities of the foreground and
of the seed and centre heads are averaged. On another grid an embedding is taken from the nearest
pixel.

Embeddings of the method "spatial" are places, which all members mean alike: they are averaged, see
`places.py`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch.nn import functional

from embedseg.inference.places import frame_of, moved, straighten
from embedseg.inference.segment import (
    Network,
    Picture,
    check_finite,
    picture_batch,
    working_shape,
)
from embedseg.inference.spec import ModelSpec
from embedseg.inference.views import View, by_shape, look, unlook, views_of

Outputs = dict[str, torch.Tensor]
Member = tuple[Network, ModelSpec]
LOGITS = ("seed", "centre")  # of heads with one map
JOINED = ("embedding", "semantic", *LOGITS)
PLACES = ("embedding", "log_precision")  # averaged where embeddings are places
TINY = 1e-6  # keeps the logarithm of a mean probability finite


def joint_outputs(
    image: Picture,
    members: Sequence[Member],
    *,
    tta: str = "none",
    scales: Sequence[float] = (1.0,),
    name: str = "image",
    keep_grid: bool = True,
) -> Outputs:
    """Return the joint outputs of all `members` for `image` (H, W, 3), without the batch axis.

    Each member sees the picture in every view of `tta` (a name of VIEWS) at its working size times
    each of `scales`. The result lies on the grid that the first member has at scale 1, but what was
    seen once, at another scale, on its own where `keep_grid` is set: "embedding"
    (sum of all E, h, w), "semantic" logits (K, h, w) and, of the heads that every member has,
    "seed" and "centre" logits.
    An embedding whose margins differ from the first member's is scaled to them. Of the method
    "spatial" it is "embedding" (2, h, w) and "log_precision" (2, h, w), in the first one's units.

    Raises ValueError for an unknown `tta` or members that cannot be joined, and InputError for an
    output that is not finite.
    """
    views = views_of(tta)
    first = members[0][1]
    check_members([spec for _, spec in members])
    shape = working_shape(image.shape[:2], first.working_size)
    goal = frame_of(first, shape)
    parts: list[Outputs] = []
    for model, spec in members:
        for scale in scales:
            own = scaled(spec, image, scale)
            seen = run_views(image, model, own, views, name)
            if first.method == "spatial":
                frame = frame_of(own, working_shape(image.shape[:2], own.working_size))
                parts += [moved(part, frame, goal) for part in seen]
            else:
                unit = first.default_bandwidth / spec.default_bandwidth
                parts += [part | {"embedding": in_units(part["embedding"], unit)} for part in seen]
    if len(parts) == 1 and (keep_grid or parts[0]["semantic"].shape[1:] == goal.grid):
        return parts[0]
    return join(parts, goal.grid, PLACES if first.method == "spatial" else ())


def in_units(embedding: torch.Tensor, unit: float) -> torch.Tensor:
    """Return the embedding times `unit`, itself if that is 1."""
    return embedding if unit == 1 else embedding * unit


def check_members(specs: Sequence[ModelSpec]) -> None:
    """Refuse networks whose classes or methods differ; ValueError."""
    for spec in specs[1:]:
        if spec.method != specs[0].method:
            raise ValueError(
                f"models of the methods {specs[0].method!r} and {spec.method!r} cannot be joined: "
                "their embeddings mean different things; name runs of one method"
            )
        if spec.classes != specs[0].classes:
            raise ValueError(
                f"models of {specs[0].classes} and {spec.classes} classes cannot be joined; "
                "name runs trained on the same classes"
            )


def scaled(spec: ModelSpec, image: Picture, scale: float) -> ModelSpec:
    """Return `spec` with its working size times `scale`."""
    if scale == 1:
        return spec
    if not isinstance(spec.working_size, int):
        height, width = (max(1, round(side * scale)) for side in spec.working_size)
        return replace(spec, working_size=(height, width))
    side = spec.working_size or max(image.shape[:2])
    return replace(spec, working_size=max(1, round(side * scale)))


def run_views(
    image: Picture, model: Network, spec: ModelSpec, views: Sequence[View], name: str
) -> list[Outputs]:
    """Return the outputs of `model` for each view, turned back; views of one shape go together."""
    batch, window = picture_batch(image, spec)
    picture = batch[0]
    found: dict[View, Outputs] = {}
    for group in by_shape(views):
        outputs = model(torch.stack([look(picture, view) for view in group]))
        check_finite(outputs, name)
        for index, view in enumerate(group):
            seen = {k: unlook(value[index], view) for k, value in outputs.items()}
            if spec.method == "spatial":
                seen = straighten(seen, view, frame_of(spec, picture.shape[1:]).step)
            found[view] = {k: value[(..., *window)] for k, value in seen.items()}
    return [found[view] for view in views]


def join(
    parts: Sequence[Mapping[str, torch.Tensor]], grid: tuple[int, int], averaged: Sequence[str] = ()
) -> Outputs:
    """Return the joint outputs of `parts`, brought to `grid` (h, w); see the file's head.

    Maps named in `averaged` are averaged, a pixel's nearest of each part.
    """
    for key in {key for part in parts for key in part} - {*JOINED, *averaged}:
        raise ValueError(
            f"the output {key!r} cannot be joined over views or models; use one model without "
            "--tta, --scales and --ensemble"
        )
    joined = {
        key: torch.stack([nearest(part[key], grid) for part in parts]).mean(0) for key in averaged
    }
    if "embedding" not in joined:
        scale = math.sqrt(len(parts))
        joined["embedding"] = torch.cat([nearest(p["embedding"], grid) / scale for p in parts])
    joined["semantic"] = mean_logits([part["semantic"] for part in parts], grid)
    for key in LOGITS:
        if all(key in part for part in parts):
            joined[key] = mean_logits([part[key] for part in parts], grid)
    return joined


def mean_logits(logits: Sequence[torch.Tensor], grid: tuple[int, int]) -> torch.Tensor:
    """Return logits whose probabilities are the mean of those of `logits`, each (K, h, w).

    One map is a sigmoid's, several are a softmax's.
    """
    single = logits[0].shape[0] == 1
    p = torch.stack(
        [linear(torch.sigmoid(x) if single else torch.softmax(x, 0), grid) for x in logits]
    ).mean(0)
    return torch.logit(p, TINY) if single else p.clamp_min(TINY).log()


def nearest(values: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
    """Return (C, h, w) on `grid`, each pixel from the nearest: no embedding is averaged."""
    if tuple(values.shape[1:]) == grid:
        return values
    return functional.interpolate(values[None], grid, mode="nearest-exact")[0]


def linear(values: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
    """Return (C, h, w) on `grid`, interpolated."""
    if tuple(values.shape[1:]) == grid:
        return values
    return functional.interpolate(
        values[None], grid, mode="bilinear", align_corners=False, antialias=True
    )[0]
