"""The explorer: one self-contained HTML file in which an embedding can be probed and re-clustered.

Everything is inside the file: image, labels, truth, quantised embedding, styles and scripts. It
opens from a disk, without a network or a server, in any browser of 2023 or later.
"""

import json
from collections.abc import Mapping
from html import escape
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import quote

import numpy as np

from embedseg.names import unknown
from embedseg.viz import explorer_data as data
from embedseg.viz.arrays import Array, Floats, Picture
from embedseg.viz.colors import palette
from embedseg.viz.html import asset, save_page
from embedseg.viz.maps import HEAT_STOPS, MARGIN_STOPS
from embedseg.viz.pca import fit_basis
from embedseg.viz.projection import Plane, lda_plane

SCRIPTS = (
    "decode",
    "cluster",
    "segment",
    "labels",
    "png",
    "paint",
    "history",
    "stage",
    "scatter",
    "table",
)
COMPONENTS = ("all", "largest", "split")  # of a cluster in several pieces
_FITTED = 20_000  # foreground pixels that the planes are fitted to


def write_explorer(  # noqa: PLR0913  (all of it is what one page shows)
    path: str | Path,
    image: Picture,
    embedding: Array,
    foreground: Array,
    labels: Array,
    truth: Array | None = None,
    *,
    delta_v: float = 0.5,
    delta_d: float = 1.5,
    bandwidth: float | None,
    threshold: float = 0.5,
    bandwidth_from: str = "in use",
    min_points: int | None = None,
    gaussian: bool = False,
    border_step: float = 0.8,
    core: Array | None = None,
    classes: Array | None = None,
    merge: float = 0.0,
    components: str = "all",
    min_size: int = 0,
    scores: Mapping[int, float] | None = None,
    name: str | None = None,
    links: Mapping[str, str] | None = None,
) -> Path:
    """Write the explorer of one image to `path` and return it.

    `image` (H, W, 3) uint8; `embedding` (E, h, w) of any size; `foreground` a mask or probability
    (H, W) or (h, w), taken where >= `threshold`; `labels` and `truth` (H, W). `bandwidth` is the
    one that the slider begins at, marked by `bandwidth_from` ("default"); without one there
    is no slider, for a model whose vectors mean-shift does not cluster. The slider
    clusters the foreground as `clustering.MeanShift` does with `min_points`, `border_step` and, if
    `gaussian`, its Gaussian kernel, on the page's own embedding, which is quantised and, beyond
    512 x 512 x 16 values, thinned out. Of the foreground only the pixels of `core` (h, w) found
    clusters, the others join the nearest mean; each class of `classes` (h, w), integers below 256,
    is clustered by itself; means nearer than `merge` become one; `components` and `min_size`
    (pixels of the embedding) treat what was found: all as `inference.segment` does. `scores` maps
    ids to confidences; `name` is shown and names the saved labels; `links` (word -> relative
    address) stand in the head, such as those to the index, the last and the next image.
    """
    _check(image, embedding, labels, truth)
    for argument, values in (("core", core), ("classes", classes)):
        if values is not None and values.shape != embedding.shape[1:]:
            raise ValueError(
                f"{argument} must have the embedding's size {embedding.shape[1:]}, "
                f"got {values.shape}"
            )
    if components not in COMPONENTS:
        raise unknown("components", components, COMPONENTS)
    path = Path(path)
    name = path.stem if name is None else name
    size = (image.shape[0], image.shape[1])
    shown = data.shown_size(size)
    probability = np.asarray(foreground, np.float32)
    packed = data.pack(embedding, probability, threshold)
    grid = packed.mask.shape
    fine = np.rint(255 * np.clip(data.resize(probability, shown), 0, 1)).astype(np.uint8)
    info: dict[str, Any] = {
        "name": name,
        "size": size,
        "shown": shown,
        "grid": grid,
        "scale": packed.scale.tolist(),
        "offset": packed.offset.tolist(),
        "threshold": 255 * threshold,
        "min_points": min_points,
        "gaussian": gaussian,
        "border_step": border_step,
        "delta_v": delta_v,
        "delta_d": delta_d,
        "bandwidth": bandwidth,
        "bandwidth_from": bandwidth_from,
        "components": components,
        "merge": merge,
        "min_size": -(-min_size // packed.step**2),
        "scores": {int(i): round(float(s), 4) for i, s in (scores or {}).items()},
        "palette": palette().tobytes().hex(),
        "heat": HEAT_STOPS,
        "margin": MARGIN_STOPS,
        **_directions(packed, data.resize_labels(labels, (grid[0], grid[1]))),
    }
    blobs = {
        "embedding": data.deflated(data.differences(packed.planes)),
        "mask": data.deflated(np.packbits(packed.mask)),
        "foreground": data.deflated(data.differences(fine)),
        "labels": data.deflated(data.resize_labels(labels, shown)),
    }
    thin = np.s_[packed.step // 2 :: packed.step, packed.step // 2 :: packed.step]
    if core is not None:
        blobs["core"] = data.deflated(np.packbits(np.asarray(core, bool)[thin] & packed.mask))
    if classes is not None:
        blobs["classes"] = data.deflated(np.asarray(classes)[thin].astype(np.uint8))
    if truth is not None:
        blobs["truth"] = data.deflated(data.resize_labels(truth, shown))
    about = f"{size[1]} × {size[0]} · E = {len(embedding)}"
    uri = data.image_uri(image, shown)
    return save_page(path, _page(name, about, uri, info, blobs, links or {}))


def _page(
    name: str,
    about: str,
    uri: str,
    info: Mapping[str, Any],
    blobs: Mapping[str, str],
    links: Mapping[str, str],
) -> str:
    tags = "\n".join(
        f'<script type="application/octet-stream" id="data-{key}">{text}</script>'
        for key, text in blobs.items()
    )
    return Template(asset("explorer.html")).substitute(
        title=escape(name),
        about=escape(about),
        links="".join(
            f'<a href="{quote(target)}">{escape(word)}</a>' for word, target in links.items()
        ),
        css=asset("theme.css") + asset("explorer.css"),
        image=uri,
        blobs=tags,
        info=json.dumps(info).replace("</", "<\\/"),
        js="".join(asset(f"explorer_{script}.js") for script in SCRIPTS)
        + asset("explorer.js")
        + asset("explorer_start.js"),
    )


def _directions(packed: data.Packed, labels: Array) -> dict[str, Any]:
    """Planes of the scatter and the colours of PCA, fitted to the foreground."""
    inside = np.flatnonzero(packed.mask) if packed.mask.any() else np.arange(packed.mask.size)
    inside = inside[:: max(1, len(inside) // _FITTED)]
    vectors = packed.unpack().reshape(len(packed.planes), -1)[:, inside]
    basis = fit_basis(vectors)
    ids = labels.ravel()[inside]
    known = ids > 0
    planes = {
        "PCA": Plane(basis.mean, basis.axes[:2]),
        "PC 2, 3": Plane(basis.mean, basis.axes[1:]),
    }
    if len(np.unique(ids[known])) > 1:
        planes["LDA"] = lda_plane(vectors[:, known], ids[known])
    spread = np.where(basis.high - basis.low < 1e-6, 1, basis.high - basis.low)
    axes: Floats = basis.axes / spread[:, None]
    shift = -axes @ basis.mean - basis.low / spread
    return {
        "planes": {
            key: {"mean": p.mean.tolist(), "axes": p.axes.tolist()} for key, p in planes.items()
        },
        "pca": {"axes": axes.tolist(), "shift": shift.tolist()},
    }


def _check(image: Picture, embedding: Array, labels: Array, truth: Array | None) -> None:
    if image.dtype != np.uint8 or image.ndim != 3:
        raise ValueError(f"image must be uint8 (H, W, 3), got {image.dtype} {image.shape}")
    if embedding.ndim != 3 or not np.isfinite(embedding).all():
        raise ValueError(
            f"embedding must be finite and (E, h, w), got shape {embedding.shape}; "
            "look at the run's loss if it holds NaN"
        )
    for argument, values in (("labels", labels), ("truth", truth)):
        if values is not None and values.shape != image.shape[:2]:
            raise ValueError(
                f"{argument} must have the image's size {image.shape[:2]}, got {values.shape}"
            )
