"""Which sample comes at which place of which step: a pure function of seed and position.

Position k of the stream shows sample `perm(seed, k // n)[k % n]`, changed by a generator seeded
with (seed, k). Nothing is carried from one position to the next, so that loader workers, processes
and resumed runs see the same stream.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Sampler
from torch.utils.data import Dataset as TorchDataset

from embedseg._cv2 import cv2
from embedseg.data import AugmentConfig, Dataset, augment
from embedseg.data.lane_augment import augment_lanes
from embedseg.data.lane_sample import LaneSample
from embedseg.data.sample import SEMANTIC_IGNORE, Sample
from embedseg.labels import IGNORE
from embedseg.training.targets import Targets, calm

Batch = Mapping[str, torch.Tensor]


class AugmentedStream(TorchDataset[dict[str, torch.Tensor]]):
    """Item k: stream position k as {"image" (3, H, W) uint8, "labels", "semantic" (H, W)}.

    `targets` adds the maps that losses read, and "clean" (3, H, W) uint8, the same view before
    its colours are changed.
    """

    def __init__(
        self,
        samples: Dataset,
        config: AugmentConfig,
        *,
        copy_paste_share: float,
        seed: int,
        targets: Targets | None = None,
    ) -> None:
        self.samples, self.config, self.seed = samples, config, seed
        self.copy_paste_share = copy_paste_share
        self.targets = targets or Targets(maps={})

    def __getitem__(self, position: int) -> dict[str, torch.Tensor]:
        sample = self._draw(position, self.config)
        item = _tensors(sample)
        item |= self.targets.of(item["semantic"].numpy(), sample.labels)
        if self.targets.clean:
            item["clean"] = _tensors(self._draw(position, calm(self.config)))["image"]
        return item

    def _draw(self, position: int, config: AugmentConfig) -> Sample:
        """Return the sample; what `config` says of colours changes nothing but colours."""
        rng, paste, pasted = (
            np.random.default_rng([self.seed, part, position]) for part in (1, 2, 3)
        )
        sample = _changed(self.samples[self._index(position)], config, rng)
        if paste.random() < self.copy_paste_share:
            from embedseg.data.copy_paste import copy_paste

            other = self.samples[int(paste.integers(len(self.samples)))]
            sample = copy_paste(sample, _changed(other, config, pasted), paste)
        return sample

    def _index(self, position: int) -> int:
        round_, place = divmod(position, len(self.samples))
        return int(
            np.random.default_rng([self.seed, 0, round_]).permutation(len(self.samples))[place]
        )


def _changed(sample: Sample, config: AugmentConfig, rng: np.random.Generator) -> Sample:
    """Return a random change of the sample; lanes are moved as polylines and drawn anew."""
    if isinstance(sample, LaneSample):
        return augment_lanes(sample, config, rng)
    return augment(sample, config, rng)


def _tensors(sample: Sample) -> dict[str, torch.Tensor]:
    """Return image, labels and classes, -1 where ignored."""
    semantic = sample.semantic
    if semantic is None:
        classes = np.where(sample.labels == IGNORE, IGNORE, sample.labels > 0)
    else:
        classes = np.where(semantic == SEMANTIC_IGNORE, IGNORE, semantic.astype(np.int64))
    return {
        "image": torch.from_numpy(sample.image.transpose(2, 0, 1).copy()),
        "labels": torch.from_numpy(sample.labels.astype(np.int64)),
        "semantic": torch.from_numpy(classes.astype(np.int64)),
    }


class _Positions(Sampler[int]):
    """The process's own positions of steps `first` to `last`: every `world`-th, from `rank` on."""

    def __init__(self, first: int, last: int, batch: int, rank: int, world: int) -> None:
        self.first, self.last, self.batch, self.rank, self.world = first, last, batch, rank, world

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.first * self.batch + self.rank, self.last * self.batch, self.world))

    def __len__(self) -> int:
        return (self.last - self.first) * self.batch // self.world


class _Loader(DataLoader[dict[str, torch.Tensor]]):
    """A loader whose workers begin without OpenCV's threads.

    A forked process has none of them, and to end them there would wait for them for ever.
    """

    def __iter__(self) -> Any:
        before = cv2.getNumThreads()
        try:
            if self.num_workers:
                cv2.setNumThreads(1)
            return super().__iter__()
        finally:
            cv2.setNumThreads(before)


def loader(
    stream: AugmentedStream,
    *,
    first: int,
    last: int,
    batch: int,
    workers: int = 0,
    rank: int = 0,
    world: int = 1,
) -> DataLoader[dict[str, torch.Tensor]]:
    """Return a loader of the batches of steps `first` (included) to `last` (not).

    `batch` counts the images of one step over all `world` processes and must be a multiple of it.
    """
    if batch % world:
        raise ValueError(f"batch must be a multiple of the {world} processes, got {batch}")
    return _Loader(
        stream,
        batch_size=batch // world,
        sampler=_Positions(first, last, batch, rank, world),
        num_workers=workers,
        worker_init_fn=_one_thread,
    )


def _one_thread(worker: int) -> None:  # noqa: ARG001  (torch passes the worker's number)
    cv2.setNumThreads(1)
