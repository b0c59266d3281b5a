"""From pictures to lanes: network, foreground, clustering, one curve for each cluster.

Three steps that a stream may run at the same time (`stream.py`): `prepare` the pictures, run the
`network`, make the `lanes`. The curves are fitted at the network's grid and come in coordinates of
the picture; nothing is ever brought to the picture's size but the curves' points.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from clustering.assign import absorb_noise, merge_centres
from clustering.base import NOISE
from embedseg.inference.planes import all_finite
from embedseg.inference.segment import not_finite, picture_batch
from embedseg.io import InputError
from embedseg.lanes.curves import Method, fit_lanes, is_homography
from embedseg.lanes.hnet import HNet, image_homography
from embedseg.lanes.pieces import split_runs
from embedseg.lanes.polylines import Lanes, Points
from embedseg.lanes.runs import find_runs
from embedseg.model import Model

Picture = NDArray[np.uint8]

HEADS = ("embedding", "semantic", "seed")
SHORT = 0.06  # of the height; what spans fewer rows, and fewer than FLAT times as many columns,
FLAT = 8  # is a speck: of all settings tried on generated roads this one gains most


class Found(NamedTuple):
    """The lanes of a picture, numbered from left to right, and their mean embeddings (C, E)."""

    lanes: Lanes
    means: NDArray[np.float32]


@dataclass(frozen=True)
class LaneFinder:
    """Finds the lanes of pictures with a trained model.

    `homography` (3, 3) of the picture's pixels, or an `hnet` that predicts one for each picture,
    straightens the road before a curve is fitted. `method`, `degree` and `step` are those of
    `fit_lanes`; instances of fewer than the model's `min_size` pixels and specks are left out.
    Where the network has a seed head, only pixels that it trusts found clusters. Of the model's
    post-processing `core_step`, `components` and `tta` are not used: lanes are thin, so that
    without a seed head every pixel may found a cluster; cars cut them, so that an instance keeps
    all its pieces; and a frame is seen once, for speed.
    """

    model: Model
    method: Method = "polynomial"
    degree: int = 3
    step: float = 10.0
    homography: NDArray[np.float64] | None = None
    hnet: HNet | None = None
    _clusterers: dict[str, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if self.homography is not None and self.hnet is not None:
            raise ValueError("give either a homography or an H-Net, not both")

    def __call__(self, image: Picture, name: str = "") -> Found:
        """Return the lanes of one picture (H, W, 3) uint8."""
        outputs = self.network([self.prepare(image)], [name])
        return self.lanes(outputs, 0, image, name)

    def prepare(self, image: Picture) -> Picture:
        """Return the picture as the network sees it, (3, h, w) uint8."""
        plain = replace(self.model.spec, training_size=0)  # curves are fitted on the whole of it
        return np.asarray(picture_batch(image, plain)[0][0])

    def network(
        self, prepared: Sequence[Picture], names: Sequence[str]
    ) -> dict[str, NDArray[np.float32]]:
        """Return the embedding (B, E, h, w), the logits (B, K, h, w) of pictures of one size.

        And those of the seed head (B, 1, h, w), where there is one. Raises InputError, with the
        name of the picture, for what is not finite.
        """
        outputs = self.model(torch.from_numpy(np.stack(prepared)))
        heads = {key: outputs[key].cpu() for key in HEADS if key in outputs}
        for key, values in heads.items():
            for name, part in zip(names, values, strict=True):
                if not all_finite(part):
                    raise not_finite(key, name)
        return {key: values.numpy() for key, values in heads.items()}

    def lanes(
        self, outputs: dict[str, NDArray[np.float32]], index: int, image: Picture, name: str
    ) -> Found:
        """Return the lanes of picture `index` of the network's outputs."""
        labels, means = self.cluster(*(outputs[key][index] for key in HEADS if key in outputs))
        least = -(-self.model.spec.min_size // self.model.spec.output_stride**2)
        runs, origin = split_runs(find_runs(labels), labels.size, min_pixels=least)
        plane = self.homography
        if self.hnet is not None:
            plane = image_homography(
                self.hnet, image, first_row(runs.row, image.shape[0] / len(labels))
            )
        lanes = fit_lanes(
            labels,
            (image.shape[0], image.shape[1]),
            method=self.method,
            degree=self.degree,
            homography=plane,
            min_pixels=least,
            step=self.step,
            name=name,
            runs=runs,
        )
        tall = [i for i, lane in enumerate(lanes.points) if not is_speck(lane, image.shape[0])]
        order = sorted(tall, key=lambda i: foot(lanes.points[i], image.shape[0]))
        kept = [origin[lanes.ids[i]] - 1 for i in order]
        return Found(
            Lanes(tuple(lanes.points[i] for i in order), lanes.size, name),
            means[kept] if kept else np.zeros((0, means.shape[1]), np.float32),
        )

    def cluster(
        self,
        embedding: NDArray[np.float32],
        logits: NDArray[np.float32],
        seed: NDArray[np.float32] | None = None,
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return labels (h, w), 0 where there is no lane, and the mean embedding of each label."""
        spec = self.model.spec
        mask = foreground(logits, spec.foreground_threshold)
        core = mask if seed is None else mask & (seed[0] > logit(spec.seed_threshold))
        if not core.any():
            core = mask
        if spec.clusterer not in self._clusterers:
            self._clusterers[spec.clusterer] = spec.build_clusterer()
        fitted = self._clusterers[spec.clusterer].fit_image(embedding, core)
        means, members = np.asarray(fitted.cluster_centers_, np.float32), fitted.labels_
        if spec.merge > 0 and len(means) > 1:
            counts = np.bincount(members[members != NOISE], minlength=len(means))
            means, _, new = merge_centres(means, counts, spec.merge)
            members = np.where(members != NOISE, np.asarray(new)[members], NOISE)
        labels = np.zeros(mask.shape, np.int32)
        labels[core] = members + 1
        rest = np.flatnonzero(mask & ~core)
        if len(means) and len(rest):
            points = np.ascontiguousarray(embedding.reshape(len(embedding), -1)[:, rest].T)
            near = absorb_noise(points, np.full(len(points), NOISE, np.int32), means)
            labels.reshape(-1)[rest] = near + 1
        return labels, means


def foreground(logits: NDArray[np.float32], threshold: float) -> NDArray[np.bool_]:
    """Return where the probability of any class but background exceeds `threshold`.

    `logits` (K, h, w): one class by a sigmoid, more by a softmax with the background first.
    """
    edge = logit(threshold)
    if len(logits) == 1:
        return np.asarray(logits[0] > edge)
    if len(logits) == 2:
        return np.asarray(logits[1] - logits[0] > edge)
    top = logits[1:].max(axis=0)
    rest = top + np.log(np.exp(logits[1:] - top).sum(axis=0))
    return np.asarray(rest - logits[0] > edge)


def first_row(rows: NDArray[np.int64], scale: float) -> float | None:
    """Return the uppermost of rows of a grid, as a row of a picture `scale` times as high."""
    return (float(rows.min()) + 0.5) * scale - 0.5 if len(rows) else None


def logit(probability: float) -> float:
    """Return the logit of a probability in (0, 1); of 0 and 1 the infinite ones."""
    if not 0 < probability < 1:
        return math.inf if probability >= 1 else -math.inf
    return math.log(probability / (1 - probability))


def is_speck(lane: Points, height: int) -> bool:
    """Return whether a lane is too short to be one; `height` of the picture."""
    columns, rows = np.ptp(lane, axis=0)
    return bool(rows < SHORT * height and columns < FLAT * SHORT * height)


def foot(lane: Points, height: int) -> float:
    """Return x at which a lane, straight on from its lower end, reaches the bottom row."""
    low = lane[np.argsort(lane[:, 1], kind="stable")][-2:]
    if len(low) < 2 or low[1, 1] - low[0, 1] < 1e-6:
        return float(lane[-1, 0])
    slope = (low[1, 0] - low[0, 0]) / (low[1, 1] - low[0, 1])
    return float(low[1, 0] + slope * (height - 1 - low[1, 1]))


def read_homography(path: Path) -> NDArray[np.float64]:
    """Return the (3, 3) matrix of a JSON file with 3 rows of 3 numbers; InputError for another."""
    try:
        plane = np.array(json.loads(path.read_text(encoding="utf-8")), dtype=np.float64)
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"{path}: not a JSON file with 3 rows of 3 numbers ({error})") from error
    if not is_homography(plane):
        raise InputError(f"{path}: the homography must be an invertible 3 x 3 matrix")
    return plane
