"""Sparse labels: which pixels of a picture are known where only some of its objects are labelled.

In such a picture 0 says nothing: another object may be there. What is unlabelled becomes IGNORE, so
that every loss leaves it out; background is only what somebody said is background.

For experiments a densely labelled data set is thinned: of each picture's instances a share is kept,
and the same share of its background is known, in discs as a brush would leave them.
"""

import zlib
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from embedseg.data.sample import SEMANTIC_IGNORE, Dataset, Sample
from embedseg.labels import IGNORE

BRUSH = 0.03  # radius of a disc of known background, as a share of the picture's longer side


def sparse_dataset(
    samples: Dataset, *, background_label: int = 0, keep: float = 1.0, seed: int = 0
) -> Dataset:
    """Return `samples` with sparse labels: what is not known becomes IGNORE.

    With `background_label` b > 0 the pixels labelled b are background and those labelled 0 are
    unknown; with 0 the pixels labelled 0 are background. Then of the instances of each picture the
    share `keep`, at least one, stays known, and that share of its background. What is kept of a
    picture depends on its name and on `seed` alone. Raises ValueError for a share outside (0, 1].
    """
    if not 0 < keep <= 1:
        raise ValueError(f"the share of labels kept must be in (0, 1], got {keep}")
    if background_label < 0:
        raise ValueError(f"background_label must be >= 0, got {background_label}")

    def load(name: str) -> Sample:
        sample = samples.load(name)
        rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
        labels = thin(painted(sample.labels, background_label), keep, rng)
        if sample.semantic is None:
            return replace(sample, labels=labels)
        known = np.where(labels == IGNORE, SEMANTIC_IGNORE, sample.semantic)
        return replace(sample, labels=labels, semantic=known.astype(np.uint8))

    return Dataset(samples.names, load, samples.splits, samples.groups)


def painted(labels: NDArray[np.int32], background_label: int) -> NDArray[np.int32]:
    """Return labels where that label means background and 0 means unknown; as they are for 0."""
    if not background_label:
        return labels
    known = np.where(labels == 0, IGNORE, labels)
    return np.where(labels == background_label, 0, known).astype(np.int32)


def thin(labels: NDArray[np.int32], keep: float, rng: np.random.Generator) -> NDArray[np.int32]:
    """Return the labels (H, W) of which only the share `keep` of instances is known."""
    if keep == 1:
        return labels
    ids = rng.permutation(np.unique(labels[labels > 0]))
    kept = ids[: max(1, round(keep * len(ids)))]
    known = np.isin(labels, kept) | brushed(labels == 0, keep, rng)
    return np.where(known, labels, IGNORE).astype(np.int32)


def brushed(
    background: NDArray[np.bool_], share: float, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Return about `share` of the True pixels of `background`, in discs around some of them."""
    wanted = share * np.count_nonzero(background)
    places = np.argwhere(background)
    radius = max(1.0, BRUSH * max(background.shape))
    rows, columns = np.ogrid[: background.shape[0], : background.shape[1]]
    found = np.zeros_like(background)
    while np.count_nonzero(found) < wanted:
        y, x = places[rng.integers(len(places))]
        found |= ((rows - y) ** 2 + (columns - x) ** 2 <= radius**2) & background
    return found
