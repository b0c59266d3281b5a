"""Scores of settings on cached network outputs: each setting once, each clustering once.

The search looks at the network's own grid: predictions and truth are compared there, which is many
times faster than at the pictures' size and ranks settings alike. `at_full_size` scores for good.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from embedseg._cv2 import cv2
from embedseg.data import Sample
from embedseg.inference.segment import instances, probabilities
from embedseg.inference.spec import ModelSpec
from embedseg.metrics import ImageScore, score_image
from embedseg.tuning.figures import Parts, parts_of
from embedseg.tuning.space import Axis, Setting, changes, cluster_key

MEMORY = 1_500_000_000  # bytes of outputs kept in memory; what is more lies in a folder
KEPT = 24  # settings whose clusters are remembered for axes that only treat what was found


class Network(Protocol):
    """A model or an ensemble."""

    spec: ModelSpec

    def outputs(self, image: NDArray[np.uint8], name: str = ...) -> dict[str, torch.Tensor]:
        """Return the network's outputs for a picture."""
        ...


@dataclass(frozen=True, eq=False)
class Seen:
    """One picture through the network: half-precision `outputs`, the true labels at both sizes."""

    name: str
    outputs: dict[str, NDArray[np.float16]]
    truth: NDArray[np.int32]
    coarse_truth: NDArray[np.int32]


def look_at(model: Network, samples: Iterable[Sample], folder: Path) -> list[Seen]:
    """Run the network over `samples` once; outputs beyond MEMORY are kept in files in `folder`."""
    seen: list[Seen] = []
    used = 0
    for sample in samples:
        outputs = {
            key: value.detach().cpu().numpy().astype(np.float16)
            for key, value in model.outputs(sample.image, sample.name).items()
        }
        used += sum(value.nbytes for value in outputs.values())
        if used > MEMORY:
            outputs = {k: _on_disk(v, folder / f"{len(seen)}_{k}.npy") for k, v in outputs.items()}
        grid = outputs["semantic"].shape[1:]
        coarse = cv2.resize(sample.labels, grid[::-1], interpolation=cv2.INTER_NEAREST)
        seen.append(Seen(sample.name, outputs, sample.labels, np.asarray(coarse, np.int32)))
    return seen


def _on_disk(values: NDArray[np.float16], file: Path) -> NDArray[np.float16]:
    np.save(file, values)
    stored: NDArray[np.float16] = np.load(file, mmap_mode="r")
    return stored


class Judge:
    """Scores `Setting`s of `axes` for `metric` on pictures that the network has `seen`.

    `parts(setting)` is computed once for each setting; `count` says how many were.
    """

    def __init__(
        self,
        seen: Sequence[Seen],
        axes: Sequence[Axis],
        spec: ModelSpec,
        metric: str,
        bar: "tqdm[Any] | None" = None,
    ) -> None:
        self.seen, self.axes, self.spec, self.metric, self.bar = seen, axes, spec, metric, bar
        self._parts: dict[Setting, Parts] = {}
        self._clusters: dict[Setting, dict[int, list[Any]]] = {}

    @property
    def count(self) -> int:
        """Return the number of settings scored so far."""
        return len(self._parts)

    def parts(self, setting: Setting) -> Parts:
        """Return the setting's part from each picture."""
        if setting not in self._parts:
            images = [self._coarse_score(index, setting) for index in range(len(self.seen))]
            self._parts[setting] = parts_of(images, self.metric)
            if self.bar is not None:
                self.bar.update()
        return self._parts[setting]

    def at_full_size(self, setting: Setting) -> Parts:
        """Return the setting's part from each picture, as later commands will segment it."""
        spec = self.spec.with_tuning(changes(self.axes, setting, self.spec))
        images = [
            self._score(picture, spec, spec.build_clusterer(), coarse=False)
            for picture in self.seen
        ]
        return parts_of(images, self.metric)

    def _coarse_score(self, index: int, setting: Setting) -> ImageScore:
        spec = self.spec.with_tuning(changes(self.axes, setting, self.spec))
        store = self._clusters.setdefault(cluster_key(self.axes, setting), {})
        if len(self._clusters) > KEPT:
            del self._clusters[next(iter(self._clusters))]
        picture = self.seen[index]
        clusterer = _Remembering(spec.build_clusterer(), store.setdefault(index, []))
        return self._score(picture, spec, clusterer, coarse=True)

    def _score(self, picture: Seen, spec: ModelSpec, clusterer: Any, *, coarse: bool) -> ImageScore:
        truth = picture.coarse_truth if coarse else picture.truth
        outputs = {k: torch.from_numpy(v.astype(np.float32)) for k, v in picture.outputs.items()}
        found = instances(
            outputs["embedding"],
            probabilities(outputs["semantic"]),
            None if coarse else (truth.shape[0], truth.shape[1]),
            spec,
            seed=outputs.get("seed"),
            log_precision=outputs.get("log_precision"),
            centre=outputs.get("centre"),
            clusterer=clusterer,
        )
        return score_image(picture.name, found.labels, truth)


class _Remembering:
    """A clusterer that writes what it finds into `store` and, called again, reads it there.

    `instances` calls it once for each class, always in the same order.
    """

    def __init__(self, clusterer: Any, store: list[Any]) -> None:
        self.clusterer, self.store, self.calls = clusterer, store, 0
        self.reads_maps = clusterer.reads_maps

    def fit_image(self, embedding: Any, mask: Any, **maps: Any) -> Self:
        """Cluster, or take the labels of the same call before."""
        if self.calls == len(self.store):
            labels = np.asarray(self.clusterer.fit_image(embedding, mask, **maps).labels_)
            self.store.append(labels.astype(np.int32))
        self.labels_ = self.store[self.calls]
        self.calls += 1
        return self
