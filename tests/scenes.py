"""Tiny labelled pictures that tests draw themselves: coloured discs on a dark ground."""

from pathlib import Path

import numpy as np
from PIL import Image


def discs(seed: int, size: int = 64, count: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Return an image (size, size, 3) uint8 and labels of `count` discs, apart from each other."""
    rng = np.random.default_rng(seed)
    image = rng.integers(10, 40, (size, size, 3)).astype(np.uint8)
    labels = np.zeros((size, size), np.int32)
    rows, columns = np.mgrid[:size, :size]
    corners = rng.permutation([(a, b) for a in (0.25, 0.75) for b in (0.25, 0.75)])
    for number in range(count):
        centre = corners[number % 4] * size + rng.uniform(-0.05, 0.05, 2) * size
        inside = (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 < (0.17 * size) ** 2
        labels[inside] = number + 1
        image[inside] = rng.integers(120, 250, 3)
    return image, labels


def write_folder(folder: Path, count: int = 8, size: int = 64) -> Path:
    """Write `count` pictures into images/ and labels/ of `folder` and return it."""
    for sub in ("images", "labels"):
        (folder / sub).mkdir(parents=True)
    for seed in range(count):
        image, labels = discs(seed, size)
        Image.fromarray(image).save(folder / "images" / f"scene{seed}.png")
        Image.fromarray(labels.astype(np.uint8)).save(folder / "labels" / f"scene{seed}.png")
    return folder


def train_discs(scenes: Path, run: Path, *more: str) -> Path:
    """Train a small U-Net on the discs for about ten seconds of one core; return the run."""
    from embedseg.training.loop import train
    from embedseg.training.options import read_config

    options = [
        "--data", f"folder:{scenes}", "--run", str(run), "--epochs=2", "--steps-per-epoch=60",
        "--batch=4", "--amp=off", "--device=cpu", "--threads=1", "--data.working_size=64",
        "--augment.size=64", "--network.options={width: 8, depth: 3}", "--data.val_fraction=0.4",
        "--network.embedding_dim=4", "--optimizer.warmup_steps=5", "--optimizer.ema=0.9",
        "--optimizer.learning_rate=5e-3", "--tune=false", *more,
    ]  # fmt: skip
    return train(read_config(options))
