"""Copy-paste augmentation: instances of one sample laid over another, for few labelled images.

After Ghiasi et al., Simple Copy-Paste is a Strong Data Augmentation Method (arXiv:2012.07177), and
for leaves Kuznichov et al. (arXiv:1903.08583): each pasted instance is turned, magnified and
mirrored by itself, and hides what lies under it.
"""

from itertools import islice

import numpy as np
from numpy.typing import NDArray

from embedseg._cv2 import cv2
from embedseg.data.sample import Sample
from embedseg.labels import IGNORE

EDGE_SIGMA: float = 0.7  # pixels; softens the cut edge of what is pasted


def copy_paste(
    target: Sample,
    source: Sample,
    rng: np.random.Generator,
    *,
    count: tuple[int, int] = (1, 5),
    scale: tuple[float, float] = (0.7, 1.4),
    rotation: float = 180.0,
    min_pixels: int = 20,
) -> Sample:
    """Return `target` with some instances of `source` pasted in, later ones on top.

    How many is drawn from the range `count`, among the instances of `source` that are whole: in one
    piece and away from the border. Each is magnified by a factor from `scale` (evenly in its
    logarithm), turned by up to `rotation` degrees either way, mirrored or not, and its middle is
    put anywhere in `target`. Its labels are new ids above those of `target`. What is left of a
    hidden instance, pasted or not, becomes IGNORE if it has fewer than `min_pixels` pixels; one
    that would have fewer when it is pasted is not pasted. With `semantic` in both, classes are
    pasted too; with one in `target` alone, ValueError.
    """
    if target.semantic is not None and source.semantic is None:
        raise ValueError(
            f"sample {target.name!r} has semantic classes, {source.name!r} has none to paste"
        )
    image, labels = target.image.copy(), target.labels.copy()
    semantic = None if target.semantic is None else target.semantic.copy()
    number = int(rng.integers(count[0], count[1] + 1))
    candidates = rng.permutation(_inner_instances(source.labels)).tolist()
    for chosen in islice((c for c in candidates if _in_one_piece(source.labels == c)), number):
        factor = float(np.exp(rng.uniform(*np.log(scale))))
        angle = float(rng.uniform(-rotation, rotation))
        cutout, alpha = _cut_out(source, chosen, factor, angle, mirror=rng.random() < 0.5)
        place = rng.uniform((0, 0), labels.shape).astype(int) - np.array(alpha.shape) // 2
        there, here = _overlap(labels.shape, alpha.shape, place)
        solid = alpha[here] >= 0.5
        if np.count_nonzero(solid) < max(1, min_pixels):
            continue
        below = image[there].astype(np.float32)
        image[there] = np.rint(below + alpha[here][..., None] * (cutout[here] - below))
        labels[there][solid] = max(0, int(labels.max())) + 1
        if semantic is not None and source.semantic is not None:
            semantic[there][solid] = _class_of(source.labels == chosen, source.semantic)
    labels = _ignore_remains(target.labels, labels, min_pixels)
    return Sample(image, labels, semantic, target.name)


def _inner_instances(labels: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return the ids that do not touch the border of the picture."""
    border = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    ids = np.unique(labels)
    return np.asarray(ids[(ids > 0) & ~np.isin(ids, border)], np.int32)


def _in_one_piece(mask: NDArray[np.bool_]) -> bool:
    return int(cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)[0]) == 2


def _cut_out(
    source: Sample, chosen: int, factor: float, angle: float, *, mirror: bool
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return one instance, turned and magnified, as (h, w, 3) colours and (h, w) alpha."""
    mask = source.labels == chosen
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    rows, columns = slice(y, y + height), slice(x, x + width)
    size = int(np.ceil(factor * np.hypot(width, height))) + 4
    middle = ((width - 1) / 2, (height - 1) / 2)
    matrix = np.asarray(cv2.getRotationMatrix2D(middle, angle, factor), np.float64)
    matrix[:, 2] += (size - 1) / 2 - np.array(middle)
    if mirror:
        matrix[0] = -matrix[0] + (0, 0, size - 1)
    colours = cv2.warpAffine(
        source.image[rows, columns], matrix, (size, size), borderMode=cv2.BORDER_REPLICATE
    )
    alpha = cv2.warpAffine(mask[rows, columns].astype(np.float32), matrix, (size, size))
    alpha = cv2.GaussianBlur(alpha, (0, 0), EDGE_SIGMA)
    return np.asarray(colours, np.float32), np.asarray(alpha, np.float32)


def _overlap(
    canvas: tuple[int, ...], patch: tuple[int, ...], place: NDArray[np.integer]
) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Return the rows and columns of a canvas that a patch at `place` meets, and of the patch."""
    there, here = [], []
    for whole, length, first in zip(canvas, patch, place.tolist(), strict=True):
        start, stop = max(0, first), min(whole, first + length)
        there.append(slice(start, stop))
        here.append(slice(start - first, stop - first))
    return tuple(there), tuple(here)


def _class_of(mask: NDArray[np.bool_], semantic: NDArray[np.uint8]) -> int:
    """Return the commonest class under a mask."""
    return int(np.bincount(semantic[mask]).argmax())


def _ignore_remains(
    before: NDArray[np.int32], after: NDArray[np.int32], min_pixels: int
) -> NDArray[np.int32]:
    """Make IGNORE what is left of instances that lost pixels and have fewer than `min_pixels`.

    One that was pasted had as many, so that with fewer it lost some.
    """
    changed = before != after
    for chosen in np.union1d(before[changed], after[changed]):
        rest = after == chosen
        if chosen > 0 and np.count_nonzero(rest) < min_pixels:
            after[rest] = IGNORE
    return after
