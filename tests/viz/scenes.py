"""Small generated scenes for the tests of pictures."""

import numpy as np


def discs(count: int, size: int = 128, seed: int = 0) -> np.ndarray:
    """Labels (size, size): up to `count` discs on a jittered grid, some touching."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((size, size), np.int32)
    side = int(np.ceil(np.sqrt(max(count, 1))))
    y, x = np.mgrid[:size, :size]
    step = size / side
    for index in range(count):
        row, column = divmod(index, side)
        cy, cx = (np.array([row, column]) + 0.5 + rng.uniform(-0.1, 0.1, 2)) * step
        labels[(y - cy) ** 2 + (x - cx) ** 2 < (0.5 * step) ** 2] = index + 1
    return labels


def photo(labels: np.ndarray, seed: int = 0) -> np.ndarray:
    """Image (H, W, 3) uint8 with something to see under the labels."""
    rng = np.random.default_rng(seed)
    base = np.where(labels[..., None] > 0, [90, 150, 60], [70, 60, 50])
    return np.clip(base + rng.normal(0, 12, base.shape), 0, 255).astype(np.uint8)


def embed(
    labels: np.ndarray, E: int = 8, spread: float = 0.15, distance: float = 3.0, seed: int = 0
) -> np.ndarray:
    """Embedding (E, H, W) float32 with one blob per label, background included."""
    rng = np.random.default_rng(seed)
    means = rng.normal(size=(labels.max() + 1, E)) * distance
    noise = rng.normal(0, spread, (*labels.shape, E))
    return np.moveaxis(means[labels] + noise, -1, 0).astype(np.float32)
