"""One labelled picture, `Sample`, and an ordered collection of them by name, `Dataset`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import overload

import numpy as np
from numpy.typing import NDArray

from embedseg.names import unknown

SEMANTIC_IGNORE: int = 255  # in `Sample.semantic` (uint8): takes no part, like IGNORE in labels


@dataclass(frozen=True, eq=False)
class Sample:
    """One picture with its labels; nobody writes into the arrays of a sample.

    `image` (H, W, 3) uint8 RGB; `labels` (H, W) int32 by the convention of `embedseg.labels`
    (0 background, -1 ignore, instances >= 1, gaps allowed); `semantic` (H, W) uint8 class of each
    pixel (0 background, 255 ignore), or None where the classes are just labels > 0.
    Raises ValueError where shapes or dtypes differ from this.
    """

    image: NDArray[np.uint8]
    labels: NDArray[np.int32]
    semantic: NDArray[np.uint8] | None = None
    name: str = ""

    def __post_init__(self) -> None:
        size = self.image.shape[:2]
        if self.image.ndim != 3 or self.image.shape[2] != 3 or self.image.dtype != np.uint8:
            raise ValueError(
                f"image of sample {self.name!r} must be (H, W, 3) uint8, got "
                f"{self.image.shape} {self.image.dtype}; read it with embedseg.io.read_image"
            )
        if self.labels.shape != size or self.labels.dtype != np.int32:
            raise ValueError(
                f"labels of sample {self.name!r} must be {size} int32 like the image, got "
                f"{self.labels.shape} {self.labels.dtype}"
            )
        if self.semantic is not None and (
            self.semantic.shape != size or self.semantic.dtype != np.uint8
        ):
            raise ValueError(
                f"semantic of sample {self.name!r} must be {size} uint8 like the image, got "
                f"{self.semantic.shape} {self.semantic.dtype}"
            )


@dataclass(frozen=True, eq=False)
class Dataset(Sequence[Sample]):
    """Samples by name: `load(name)` reads or draws one, each time it is asked for.

    `splits` maps a split's name to its members (from split lists beside the data); `groups` are
    sets of names that must not be separated by a split (photographs of one plant over time).
    With a `load` that is a module-level function or a partial of one, a dataset can be pickled.
    """

    names: list[str]
    load: Callable[[str], Sample]
    splits: Mapping[str, list[str]] = field(default_factory=dict)
    groups: list[list[str]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> Dataset: ...
    def __getitem__(self, index: int | slice) -> Sample | Dataset:
        if isinstance(index, slice):
            return self.subset(self.names[index])
        return self.load(self.names[index])

    def __iter__(self) -> Iterator[Sample]:
        return map(self.load, self.names)

    def subset(self, names: Iterable[str]) -> Dataset:
        """Return the samples of these names, in this order; an unknown name raises ValueError."""
        names, known = list(names), set(self.names)
        for name in names:
            if name not in known:
                raise unknown("sample", name, self.names)
        chosen = set(names)
        splits = {key: [n for n in part if n in chosen] for key, part in self.splits.items()}
        groups = [[n for n in group if n in chosen] for group in self.groups]
        return Dataset(names, self.load, splits, [group for group in groups if group])

    def split(self, name: str) -> Dataset:
        """Return the samples of one split list, such as "train" or "val"."""
        if not self.splits:
            raise ValueError(f"#{name}: this data set has no lists of splits, such as {name}.txt")
        if name not in self.splits:
            raise unknown("split", name, self.splits)
        return self.subset(self.splits[name])

    def in_memory(self) -> Dataset:
        """Return the same data set with every sample loaded now and kept."""
        samples = {name: self.load(name) for name in dict.fromkeys(self.names)}
        return Dataset(self.names, samples.__getitem__, self.splits, self.groups)
