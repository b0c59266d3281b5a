"""The picture everybody looks at first: instances over the image, with outlines and ids."""

import numpy as np

from embedseg._cv2 import cv2
from embedseg.jit import kernel
from embedseg.viz.arrays import Array, Mask, Picture
from embedseg.viz.colors import IGNORE_COLOR, indexed
from embedseg.viz.text import write

WHOLE = 256  # weight of a colour that hides the picture
_HATCH = 8  # period in pixels of the stripes over ignored pixels
_ID_SIZES = (9, 22)  # smallest and largest letters, pixels
_ID_SHARE = 0.45  # letter height as a share of the instance's inscribed circle


def overlay(
    image: Picture,
    labels: Array,
    *,
    alpha: float = 0.45,
    outlines: bool = True,
    ids: bool = False,
) -> Picture:
    """RGB uint8 picture (H, W, 3) of `labels` (H, W) over `image` (H, W, 3) or (H, W).

    Instances are tinted by `alpha` in 0..1 with the colour of their id (`colors.palette`),
    outlined in the full colour, and numbered where `ids`. Ignored pixels (-1) are hatched in
    grey, background is left as it is. Neither argument is written into.
    """
    picture, labels = _checked(image, labels)
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha must be in 0..1, got {alpha}; 0.45 is the default")
    picture = picture.copy()
    near, low, table = indexed(labels)
    weight = round(alpha * WHOLE)
    tint = weight * table.astype(np.int32) + WHOLE // 2
    lay(np.ascontiguousarray(near), low, table, tint, WHOLE - weight, outlines, picture)
    _hatch(picture, labels)
    return number(picture, labels) if ids else picture


@kernel
def lay(
    labels: Array, low: int, table: Array, tint: Array, rest: int, outlines: bool, picture: Picture
) -> None:
    """Colour the picture (H, W, 3) where labels (H, W) are instances, in place.

    A pixel that touches another label takes the colour table[label - low], others the mean of
    tint[label - low] and `rest` of WHOLE of what they are.
    """
    last_row, last_column = labels.shape[0] - 1, labels.shape[1] - 1
    for row in range(labels.shape[0]):
        above, here, below = (
            labels[max(row - 1, 0)],
            labels[row],
            labels[min(row + 1, last_row)],
        )
        for column in range(labels.shape[1]):
            label = here[column]
            if label <= 0:
                continue
            left, right = here[max(column - 1, 0)], here[min(column + 1, last_column)]
            if outlines and not label == above[column] == below[column] == left == right:
                for c in range(3):
                    picture[row, column, c] = table[label - low, c]
                continue
            for c in range(3):
                mixed = tint[label - low, c] + rest * picture[row, column, c]
                picture[row, column, c] = mixed // WHOLE


def boundaries(labels: Array) -> Mask:
    """Pixels (H, W) of instances that touch another label to the left, right, above or below.

    Two touching instances keep one line each, so their border is two pixels wide.
    """
    edge = np.zeros(labels.shape, bool)
    across = labels[:, 1:] != labels[:, :-1]
    down = labels[1:] != labels[:-1]
    edge[:, 1:] |= across
    edge[:, :-1] |= across
    edge[1:] |= down
    edge[:-1] |= down
    return edge & (labels > 0)


def number(picture: Picture, labels: Array) -> Picture:
    """Copy of `picture` with each instance's id at the middle of its widest place."""
    by_size: dict[int, list[tuple[str, float, float]]] = {}
    for label, (x, y, radius) in anchors(labels).items():
        size = int(np.clip(2 * radius * _ID_SHARE, *_ID_SIZES))
        by_size.setdefault(size, []).append((str(label), x, y))
    for size, words in by_size.items():
        picture = write(picture, words, size=size, anchor="mm", halo=1)
    return picture


def anchors(labels: Array) -> dict[int, tuple[float, float, float]]:
    """Centre (x, y) and radius of each instance's largest inscribed circle."""
    solid = np.where(boundaries(labels), 0, labels > 0).astype(np.uint8)
    depth = cv2.distanceTransform(np.pad(solid, 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
    flat = np.asarray(labels).ravel()
    inside = np.flatnonzero(flat > 0)
    order = inside[np.argsort(depth.ravel()[inside], kind="stable")[::-1]]
    found, first = np.unique(flat[order], return_index=True)
    middle = order[first]
    rows, columns = np.unravel_index(middle, labels.shape)
    radii = depth.ravel()[middle] + 1
    return {
        int(label): (float(x) + 0.5, float(y) + 0.5, float(r))
        for label, x, y, r in zip(found, columns, rows, radii, strict=True)
    }


def _checked(image: Array, labels: Array) -> tuple[Picture, Array]:
    image, labels = np.asarray(image), np.asarray(labels)
    if image.dtype != np.uint8 or image.ndim not in (2, 3):
        raise ValueError(
            f"image must be uint8 (H, W) or (H, W, 3), got {image.dtype} {image.shape}; "
            "scale it to 0..255 first"
        )
    if labels.dtype.kind not in "iu" or labels.shape != image.shape[:2]:
        raise ValueError(
            f"labels must be integers of shape {image.shape[:2]}, got {labels.dtype} "
            f"{labels.shape}; resize them with nearest neighbours"
        )
    if image.ndim == 2:
        image = np.repeat(image[..., None], 3, axis=2)
    return np.ascontiguousarray(image[..., :3]), labels


def _hatch(picture: Picture, labels: Array) -> None:
    """Draw grey stripes into `picture` where pixels are ignored."""
    if labels.min(initial=0) >= 0:
        return
    rows, columns = np.nonzero(labels < 0)
    stripe = (rows + columns) % _HATCH < _HATCH // 2
    picture[rows[stripe], columns[stripe]] = IGNORE_COLOR
