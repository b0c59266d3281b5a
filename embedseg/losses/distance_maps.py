"""Distance maps of a label image: how far every pixel lies from the border of every class."""

from collections import OrderedDict
from collections.abc import Sequence
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from torch import Tensor

Map = NDArray[np.float32]


def signed_distance_maps(
    labels: NDArray[np.integer], classes: int, *, spacing: Sequence[float] | None = None
) -> Map:
    """Return the (classes, *S) float32 signed distance of every pixel to every class.

    Formula: phi = d(n, class) outside the class, -(d(n, not class) - s) inside it
    Paper: arXiv:1812.07032

    d is the Euclidean distance to the nearest pixel centre, `spacing` the size of a pixel along
    each axis (1 by default) and s its smallest entry, so that the first pixels inside a border lie
    at 0, as in the authors' code (which subtracts 1 whatever the spacing, and rounds to integers
    unless told otherwise). `classes = 1` gives the map of label 1 alone. A class without a pixel,
    or without a pixel outside it, has the map 0. Negative (ignored) labels belong to no class.
    """
    return _maps(labels, classes, spacing, signed=True)


def border_distance_maps(
    labels: NDArray[np.integer], classes: int, *, spacing: Sequence[float] | None = None
) -> Map:
    """Return the (classes, *S) unsigned distances: to the class outside it, out of it inside it."""
    return _maps(labels, classes, spacing, signed=False)


def _maps(
    labels: NDArray[np.integer], classes: int, spacing: Sequence[float] | None, signed: bool
) -> Map:
    if classes < 1:
        raise ValueError(f"classes must be >= 1, got {classes}; 1 gives the map of label 1 alone")
    labels = np.asarray(labels)
    steps = _spacing(spacing, labels.ndim)
    values = [1] if classes == 1 else list(range(classes))
    maps = np.zeros((len(values), *labels.shape), np.float32)
    if labels.ndim == 2:
        _plane(np.ascontiguousarray(labels, np.int32), values, steps, signed, maps)
    else:
        _volume(labels, values, steps, signed, maps)
    return maps


def _spacing(spacing: Sequence[float] | None, ndim: int) -> tuple[float, ...]:
    steps = (1.0,) * ndim if spacing is None else tuple(float(step) for step in spacing)
    if len(steps) != ndim or not all(0 < step < np.inf for step in steps):
        raise ValueError(f"spacing must be {ndim} positive numbers, got {spacing}")
    return steps


def _plane(
    labels: NDArray[np.int32],
    values: list[int],
    steps: tuple[float, ...],
    signed: bool,
    maps: Map,
) -> None:
    """Fill `maps` for two dimensions: one pass per class outside, one for all classes inside."""
    # numba is slow to import and of use to distance losses alone
    from embedseg.losses._inside import inside_distances
    from embedseg.losses._outside import class_runs, outside_distances

    if (labels == labels[:1, :1]).all():
        return  # the image has one label
    sy, sx = steps
    runs, begin = class_runs(labels, max(values) + 1)
    rows = np.full(max(int(labels.max()), max(values)) + 1, -1, np.int32)
    memory = np.empty(labels.size, np.int32), np.empty(labels.size, np.int32)
    for row, value in enumerate(values):
        of_class = runs[begin[value] : begin[value + 1]]
        if len(of_class):
            rows[value] = row
            outside_distances(of_class, (sy, sx), memory, maps[row])
    inside_distances(labels, rows, sy, sx, signed, maps)


def _volume(
    labels: NDArray[np.integer],
    values: list[int],
    steps: tuple[float, ...],
    signed: bool,
    maps: Map,
) -> None:
    """Fill `maps` for any number of dimensions with SciPy's transform, two per class."""
    for row, value in enumerate(values):
        mask = labels == value
        if mask.any() and not mask.all():
            far = distance_transform_edt(~mask, sampling=steps)
            deep = distance_transform_edt(mask, sampling=steps)
            maps[row] = np.where(mask, min(steps) - deep if signed else deep, far)


def batch_maps(
    target: Tensor, classes: int, *, spacing: Sequence[float] | None = None, signed: bool = True
) -> Tensor:
    """Return the maps of a (B, *S) target as (B, classes, *S) float32 on its device.

    This runs on the CPU; in training compute the maps in the loader's workers instead.
    """
    images = target.detach().cpu().numpy()
    function = signed_distance_maps if signed else border_distance_maps
    maps = np.empty((len(images), classes, *images.shape[1:]), np.float32)
    for place, image in zip(maps, images, strict=True):
        place[:] = function(image, classes, spacing=spacing)
    return torch.from_numpy(maps).to(target.device)


class _Key(NamedTuple):
    shape: tuple[int, ...]
    digest: bytes


class DistanceCache:
    """Maps of label images, `signed` or of the border, that remembers the last ones, for a worker.

    It helps where the same labels come back (no random geometry). What was used last is kept, up
    to `megabytes` (0: nothing); a map costs 4 * classes bytes per pixel.
    """

    def __init__(
        self,
        classes: int,
        *,
        spacing: Sequence[float] | None = None,
        signed: bool = True,
        megabytes: float = 256,
    ) -> None:
        if megabytes < 0:
            raise ValueError(f"megabytes must be >= 0, got {megabytes}")
        self.classes, self.spacing, self.signed = classes, spacing, signed
        self.room = int(megabytes * 2**20)
        self._maps: OrderedDict[_Key, Map] = OrderedDict()

    def __call__(self, labels: NDArray[np.integer]) -> Map:
        """Return the maps of `labels`, read-only."""
        content = np.ascontiguousarray(labels, np.int32)
        if 4 * self.classes * content.size > self.room:
            return self._compute(content)
        key = _Key(content.shape, blake2b(content.data, digest_size=16).digest())
        if key not in self._maps:
            self._maps[key] = self._compute(content)
            while sum(maps.nbytes for maps in self._maps.values()) > self.room:
                self._maps.popitem(last=False)
        self._maps.move_to_end(key)
        return self._maps[key]

    def _compute(self, labels: NDArray[np.int32]) -> Map:
        maps = _maps(labels, self.classes, self.spacing, signed=self.signed)
        maps.flags.writeable = False
        return maps
