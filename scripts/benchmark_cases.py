"""Embeddings with known instances for the clustering benchmark: simulated, or of a trained network.

Simulated ones look like what a well trained network leaves: instances are compact regions of the
image, their centres are as far apart as the push term wants (2 delta_d), pixels lie around them
within about delta_v, and pixels at a border between two instances lie between their centres, as a
convolution blurs them. They flatter every clusterer; `trained` does not.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

DELTA_V, DELTA_D = 0.5, 1.5


@dataclass(frozen=True)
class Scene:
    """An embedding (E, *S) and its true instances (*S), 0 background, of a kind of picture."""

    name: str
    embedding: NDArray[np.float32]
    labels: NDArray[np.int32]
    bandwidth: float

    @property
    def mask(self) -> NDArray[np.bool_]:
        """The pixels to cluster."""
        return self.labels > 0

    def __str__(self) -> str:
        shape = "x".join(map(str, self.labels.shape))
        return (
            f"{self.name}: {shape}, {len(self.embedding)}-D, {self.mask.sum()} pixels, "
            f"{len(np.unique(self.labels)) - 1} instances, bandwidth {self.bandwidth:g}"
        )


@dataclass(frozen=True)
class Kind:
    """What to simulate: shape, dimensions, instances, share of the image that is foreground."""

    shape: tuple[int, ...]
    dims: int
    count: int
    share: float


KINDS = {
    "leaf": Kind((530, 500), 16, 18, 0.28),
    "lane": Kind((256, 512), 4, 5, 0.0),
    "city": Kind((1024, 2048), 8, 60, 0.3),
    "volume": Kind((128, 256, 256), 8, 300, 0.6),
    "quick": Kind((96, 128), 8, 7, 0.4),
}


def simulate(name: str, bandwidth: float) -> Scene:
    """Return a scene of KINDS."""
    kind = KINDS[name]
    rng = np.random.default_rng(0)
    labels = regions(kind, rng) if kind.share else lanes(kind, rng)
    places = np.concatenate([np.zeros((1, kind.dims)), pushed_apart(kind.count, kind.dims, rng)])
    embedding = np.empty((kind.dims, *kind.shape), np.float32)
    inside = ndimage.uniform_filter((labels > 0).astype(np.float32), 3)
    spread = 0.78 * DELTA_V / kind.dims**0.5
    for axis, out in enumerate(embedding):
        blurred = ndimage.uniform_filter(places[labels, axis].astype(np.float32), 3)
        noise = rng.standard_normal(kind.shape, np.float32)
        out[:] = np.where(labels > 0, blurred / np.maximum(inside, 1e-3), 0) + spread * noise
    return Scene(name, embedding, labels, bandwidth)


def regions(kind: Kind, rng: np.random.Generator) -> NDArray[np.int32]:
    """Return discs (*S) cut where they meet, of random places, together `share` of the image."""
    seeds = rng.random((kind.count, len(kind.shape))) * kind.shape
    pixels = np.indices(kind.shape, np.float32).reshape(len(kind.shape), -1).T
    distance, nearest = cKDTree(seeds).query(pixels, workers=-1)
    inside = distance <= np.quantile(distance[::7], kind.share)
    return np.where(inside, nearest + 1, 0).reshape(kind.shape).astype(np.int32)


def lanes(kind: Kind, rng: np.random.Generator) -> NDArray[np.int32]:
    """Return strokes (H, W) five pixels wide, from the bottom towards one vanishing point."""
    height, width = kind.shape
    labels = np.zeros(kind.shape, np.int32)
    rows = np.arange(height // 3, height)
    depth = (rows - rows[0]) / (height - rows[0])
    for index, end in enumerate(np.linspace(-0.1, 1.1, kind.count) * width):
        bend = rng.uniform(-0.05, 0.05) * width
        at = width / 2 + (end - width / 2) * (0.12 + 0.88 * depth) + bend * depth * (1 - depth)
        reach = 2.5 * np.hypot(1, np.gradient(at))  # half of the width, measured along a row
        columns = np.arange(width)
        labels[rows] = np.where(
            abs(columns - at[:, None]) <= reach[:, None], index + 1, labels[rows]
        )
    return labels


def pushed_apart(count: int, dims: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return centres (C, E) at least 2 delta_d apart, where steps of the push term take them."""
    gap = 2 * DELTA_D
    centres = rng.normal(size=(count, dims)) / 2
    for _ in range(1000):
        apart = centres[:, None] - centres[None]
        distance = np.sqrt((apart**2).sum(-1)) + 1e-9
        short = np.maximum(gap + 0.01 - distance, 0)
        np.fill_diagonal(short, 0)
        if not short.any():
            break
        step = (apart / distance[..., None] * short[..., None]).sum(1)
        centres += np.clip(step, -1, 1) / (2 * count**0.5)
    distance = np.sqrt(((centres[:, None] - centres[None]) ** 2).sum(-1))
    np.fill_diagonal(distance, np.inf)
    return centres * (gap / min(distance.min(), gap))


def trained(run: Path, data: str, count: int) -> list[Scene]:
    """Return what the network of a run makes of `count` labelled pictures of a data set.

    The picture is seen at the run's working size, the true labels are brought there, and their
    foreground is clustered, as the leaf challenge allows.
    """
    from embedseg.data import open_dataset
    from embedseg.inference.segment import run_network
    from embedseg.model import Model

    model = Model.load(run, device="cpu", amp="off")
    samples = open_dataset(data)
    scenes = []
    for index in np.linspace(0, len(samples) - 1, min(count, len(samples))).astype(int):
        sample = samples[int(index)]
        embedding = run_network(sample.image, model, model.spec)["embedding"]
        size = embedding.shape[1:]
        truth = torch.from_numpy(np.maximum(sample.labels, 0).astype(np.int32))[None, None]
        small = torch.nn.functional.interpolate(truth.double(), size=size, mode="nearest")
        scenes.append(
            Scene(
                sample.name,
                np.ascontiguousarray(embedding.numpy()),
                small[0, 0].numpy().astype(np.int32),
                model.spec.default_bandwidth,
            )
        )
    return scenes
