"""From one picture to its instances: network, foreground, clustering, cleaning, the picture's size.

The network sees the picture at the working size of its training; clusters are found there, among
the foreground pixels; the labels are then brought to the picture's own size (`upsample.py`), inside
the foreground at that size.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from clustering.base import NOISE, tensor_to_numpy
from embedseg.inference.core import core_pixels, with_lost_pieces
from embedseg.inference.grids import Grid, grid_of, resize_map, sample_map
from embedseg.inference.members import closeness_to, instance_scores, join, spread
from embedseg.inference.mount import Window, mount
from embedseg.inference.normalise import adjust
from embedseg.inference.numbering import number
from embedseg.inference.planes import all_finite, on_host, planes
from embedseg.inference.result import Segmentation
from embedseg.inference.spec import ModelSpec
from embedseg.inference.upsample import upsample_labels
from embedseg.io import InputError
from embedseg.labels import fill_holes, keep_largest_component, split_components
from embedseg.resizing import resize_image

Network = Callable[[torch.Tensor], Mapping[str, torch.Tensor]]
Picture = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Labels = NDArray[np.int32]


def segment(
    image: Picture,
    model: Network,
    spec: ModelSpec,
    *,
    foreground: NDArray[Any] | None = None,
    clusterer: Any = None,
    name: str = "image",
) -> Segmentation:
    """Return the instances of `image` (H, W, 3) uint8.

    `model` maps a uint8 batch (1, 3, h, w) to `{"embedding": (1, E, h', w'), "semantic"}`.
    `foreground` (H, W), where it is not 0, replaces the predicted foreground (the protocol of the
    leaf challenge). `clusterer` replaces the one of `spec`.

    Raises ValueError for a foreground of another size and InputError for an output that is not
    finite.
    """
    check_foreground(image, foreground)
    outputs = run_network(image, model, spec, name)
    return segment_outputs(
        outputs, image, spec, foreground=foreground, clusterer=clusterer, name=name
    )


def segment_outputs(
    outputs: Mapping[str, torch.Tensor],
    image: Picture,
    spec: ModelSpec,
    *,
    foreground: NDArray[Any] | None = None,
    clusterer: Any = None,
    name: str = "image",
) -> Segmentation:
    """Return the instances of `image` from the network's `outputs` for it; see `segment`."""
    return instances(
        outputs["embedding"],
        probabilities(outputs["semantic"]),
        (image.shape[0], image.shape[1]),
        spec,
        seed=outputs.get("seed"),
        log_precision=outputs.get("log_precision"),
        centre=outputs.get("centre"),
        image=image,
        foreground=None if foreground is None else np.asarray(foreground) != 0,
        clusterer=clusterer,
        name=name,
    )


def check_foreground(image: Picture, foreground: NDArray[Any] | None) -> None:
    """Refuse a foreground of another size than the picture, or that is no mask; ValueError."""
    size = (image.shape[0], image.shape[1])
    if foreground is None:
        return
    if np.shape(foreground) != size:
        raise ValueError(
            f"foreground must have the image's size {size}, got {np.shape(foreground)}; "
            "make it from the same picture"
        )
    values = np.asarray(foreground)
    if values.dtype.kind == "f" and not np.isin(values, (0, 1)).all():
        raise ValueError(
            "foreground must be a mask (0 is background), got other values than 0 and 1; "
            "compare a probability with a threshold first"
        )
    if values.dtype.kind == "i" and values.min(initial=0) < 0:
        raise ValueError(
            "foreground must be a mask (0 is background), got negative values; compare it with 0"
        )


def run_network(
    image: Picture, model: Network, spec: ModelSpec, name: str = "image"
) -> dict[str, torch.Tensor]:
    """Return the network's outputs, without the batch axis, for a picture at the working size."""
    batch, window = picture_batch(image, spec)
    outputs = {key: value[0][(..., *window)] for key, value in model(batch).items()}
    check_finite(outputs, name)
    return outputs


def picture_batch(image: Picture, spec: ModelSpec) -> tuple[torch.Tensor, Window]:
    """Return a picture as the network sees it, (1, 3, h, w) uint8, and its window of the outputs.

    It is at the working size, mounted where training showed squares.
    """
    small = resize_image(image, working_shape(image.shape[:2], spec.working_size))
    small = adjust(small, stretch=spec.stretch, dark_ground=spec.dark_ground)
    small, window = mount(small, spec.training_size, spec.output_stride)
    return torch.from_numpy(np.ascontiguousarray(small.transpose(2, 0, 1)))[None], window


def check_finite(outputs: Mapping[str, torch.Tensor], name: str) -> None:
    """Refuse outputs that are not finite; InputError."""
    for key, value in outputs.items():
        if not all_finite(value):
            raise not_finite(key, name)


def not_finite(key: str, name: str) -> InputError:
    """Return the error for an output `key` of the picture `name` that is not finite."""
    return InputError(
        f"{name}: the network's {key} is not finite; its weights are damaged or its "
        "training diverged (see metrics.csv of the run)"
    )


def working_shape(shape: tuple[int, ...], working_size: int | tuple[int, int]) -> tuple[int, int]:
    """Return (h, w) with the longer side `working_size`, or just this (h, w); 0 keeps the shape."""
    if not isinstance(working_size, int):
        return working_size
    height, width = shape[0], shape[1]
    if not working_size:
        return height, width
    factor = working_size / max(height, width)
    return max(1, round(height * factor)), max(1, round(width * factor))


def probabilities(logits: torch.Tensor) -> NDArray[np.float32]:
    """Return class probabilities (K', h, w), background first, for logits (K, h, w)."""
    logits = logits.float()
    if logits.shape[0] == 1:
        both = logits.new_empty(2, *logits.shape[1:])
        torch.sub(1, torch.sigmoid(logits[0], out=both[1]), out=both[0])
        return both.cpu().numpy()
    return torch.softmax(logits, 0).cpu().numpy()


def instances(  # noqa: PLR0913  (the network's outputs and three optional inputs)
    embedding: torch.Tensor,
    semantic: NDArray[np.float32],
    size: tuple[int, int] | None,
    spec: ModelSpec,
    *,
    seed: torch.Tensor | None = None,
    log_precision: torch.Tensor | None = None,
    centre: torch.Tensor | None = None,
    image: Picture | None = None,
    foreground: Mask | None = None,
    clusterer: Any = None,
    name: str = "image",
) -> Segmentation:
    """Return the instances of an embedding (E, h, w) with class probabilities (K', h, w).

    They have the picture's `size` (H, W), or for None lie on the outputs' own grid, pixel by pixel.
    `seed` (1, h, w): logits of the seed head, where there is one; `log_precision` (E, h, w): the
    bandwidths of the method "spatial", read by its clusterer; `centre` (1, h, w): logits of the
    centre head, read by the clusterer "centres".

    This is `segment` without the network: tuning calls it many times on cached outputs.
    """
    vectors = planes(embedding) if seed is None else on_host(embedding)  # core pixels want planes
    device = embedding.device.type != "cpu"
    both = (embedding.contiguous() if device else vectors, vectors)
    coarse = vectors.shape[1:]
    grid = output_grid(coarse, size, spec)
    size = size or (coarse[0], coarse[1])
    probability = 1 - semantic[0]
    fine_probability = resize_map(probability, size, grid)
    if foreground is None:
        fine = fine_probability > spec.foreground_threshold
        inside = probability > spec.foreground_threshold
    else:
        fine = foreground
        inside = sample_map(foreground.astype(np.float32), tuple(coarse), grid) >= 0.5
    classes = class_map(semantic, inside)
    estimator = spec.build_clusterer() if clusterer is None else check_clusterer(clusterer)
    score = None if seed is None else torch.sigmoid(seed[0]).cpu().numpy()
    if score is not None and log_precision is not None and "seed" in estimator.reads_maps:
        maps = {"seed": score, "log_precision": log_precision}
        labels, closeness, core = _cluster_maps(both, classes, maps, spec, estimator)
    else:
        trusted = None if score is None else score > spec.seed_threshold
        heat = None if centre is None else torch.sigmoid(centre[0].float()).cpu().numpy()
        labels, closeness, core = _cluster_classes(both, classes, trusted, spec, estimator, heat)
    labels = _clean(labels, spec)
    labels = upsample_labels(labels, fine, grid)
    labels = labels if coarse == size else number(labels)  # an instance may lose all its pixels
    labels = fill_holes(labels) if foreground is None else labels
    fine_closeness = resize_map(closeness, size, grid)
    scores = instance_scores(
        labels, fine_probability if foreground is None else None, fine_closeness
    )
    return Segmentation(
        labels=labels,
        scores=scores,
        embedding=vectors,
        semantic=semantic,
        foreground=fine_probability,
        image=image,
        core=core,
        name=name,
    )


def check_clusterer(clusterer: Any) -> Any:
    """Return `clusterer`; ValueError where it is no estimator of the package `clustering`."""
    if isinstance(clusterer, type) or not hasattr(clusterer, "fit_image"):
        raise ValueError(
            f"clusterer must be an estimator such as clustering.MeanShift(bandwidth=1.5), which "
            f"reads embeddings of images, got {clusterer!r}"
        )
    return clusterer


def output_grid(coarse: tuple[int, ...], size: tuple[int, int] | None, spec: ModelSpec) -> Grid:
    """Return the grid on which outputs of this shape lie in a picture of `size`; None: of theirs.

    Views of test-time augmentation sample either end of a cell, and so its middle on average.
    """
    if size is None or spec.output_stride == 1 or spec.tta != "none":
        return Grid((float(coarse[0]), float(coarse[1])))
    return grid_of(coarse, spec.output_stride, working_shape(size, spec.working_size))


def class_map(semantic: NDArray[np.float32], inside: Mask) -> NDArray[Any]:
    """Return (h, w) the class of most probability, of those after the first, where `inside`; 0."""
    if len(semantic) == 2:
        return inside.view(np.uint8)
    return np.where(inside, 1 + semantic[1:].argmax(0), 0)


def _cluster_classes(
    embedding: tuple[Any, NDArray[np.float32]],
    classes: NDArray[Any],
    trusted: Mask | None,
    spec: ModelSpec,
    estimator: Any,
    heat: NDArray[np.float32] | None = None,
) -> tuple[Labels, NDArray[np.float32], Mask]:
    """Cluster each class by itself; return labels, closeness and what founded the clusters.

    `embedding` (E, h, w): as the clusterer reads it, and on the host. Closeness is
    exp(-(distance to the centre / bandwidth)^2 / 2). `heat` (h, w): where instances have their
    centres, for a clusterer that reads it.
    """
    heat = heat if "centre" in estimator.reads_maps else None
    founding = np.zeros(classes.shape, bool)
    labels = np.zeros(classes.shape, np.int32)
    closeness = np.ones(classes.shape, np.float32)
    scale = float(getattr(estimator, "bandwidth", None) or spec.bandwidth)
    read, vectors = embedding
    flat = vectors.reshape(len(vectors), -1)
    for index in range(1, max(spec.classes, 2)):
        mask = classes == index
        if not mask.any():
            continue
        if trusted is None:
            core = core_pixels(vectors, mask, spec.core_step * spec.delta_v)
        else:
            core = with_lost_pieces(mask & trusted, mask)
        founding |= core
        places = np.flatnonzero(mask)
        maps = {} if heat is None else {"centre": np.where(mask, heat, 0)}
        found = spread(
            tensor_to_numpy(estimator.fit_image(read, core, **maps).labels_), core, places
        )
        if found.max() == NOISE and core.sum() < len(places):  # too few, all in all
            found = tensor_to_numpy(estimator.fit_image(read, mask, **maps).labels_)
        members, centres = join(flat, places, found, spec.merge)
        if not len(centres):
            continue
        closeness.reshape(-1)[places] = closeness_to(centres, flat, places, members, scale)
        labels.reshape(-1)[places] = members + (1 + labels.max())
    return labels, closeness, founding


def _cluster_maps(
    embedding: tuple[Any, NDArray[np.float32]],
    classes: NDArray[Any],
    maps: Mapping[str, Any],
    spec: ModelSpec,
    estimator: Any,
) -> tuple[Labels, NDArray[np.float32], Mask]:
    """As `_cluster_classes`, by a clusterer that reads seeds and bandwidths.

    The seed map is the closeness: it was trained to be it.
    """
    labels = np.zeros(classes.shape, np.int32)
    read, vectors = embedding
    flat = vectors.reshape(len(vectors), -1)
    for index in range(1, max(spec.classes, 2)):
        mask = classes == index
        found = tensor_to_numpy(estimator.fit_image(read, mask, **maps).labels_)
        if (found != NOISE).any():
            joined, _ = join(flat, np.flatnonzero(mask), found, spec.merge)
            labels[mask] = joined + 1 + labels.max()
    return labels, maps["seed"], (classes > 0) & (maps["seed"] > spec.seed_threshold)


def _clean(labels: Labels, spec: ModelSpec) -> Labels:
    """Treat pieces as `spec.components` says and drop what is smaller than `spec.least_size`."""
    if spec.components == "largest":
        labels = keep_largest_component(labels)
    elif spec.components == "split":
        labels, _ = split_components(labels)
    return number(labels, spec.least_size)
