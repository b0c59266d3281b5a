"""Separated blobs with known labels, as points and as images: what the tests cluster."""

import numpy as np


def centres(rng, count, dims, gap):
    """Return centres (C, E) at least `gap` apart: on a grid line, then turned at random."""
    line = np.zeros((count, dims))
    line[:, 0] = np.arange(count) * gap * 1.01
    return line @ rotation(rng, dims)


def rotation(rng, dims):
    """Return a random orthogonal matrix (E, E)."""
    return np.linalg.qr(rng.normal(size=(dims, dims)))[0]


def points(rng, sizes, dims, gap=3.2, radius=0.5):
    """Return points (N, E) within `radius` of the centre of each blob, in random order, and ids."""
    truth = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    offset = rng.normal(size=(len(truth), dims))
    offset *= radius * rng.random((len(truth), 1)) / np.linalg.norm(offset, axis=1, keepdims=True)
    return (centres(rng, len(sizes), dims, gap)[truth] + offset).astype(np.float32), truth


def image(rng, shape=(48, 60), count=5, dims=4):
    """Return embedding (E, *S) and labels (*S): boxes on background 0, some of it at the rim."""
    labels = np.zeros(shape, int)
    width = shape[-1] // count
    for index in range(count):
        labels[..., 3:-4, index * width : (index + 1) * width - 2] = index + 1
    place = np.concatenate([np.zeros((1, dims)), centres(rng, count, dims, 3.2)])
    noise = rng.uniform(-0.2, 0.2, (dims, *shape))
    return (np.moveaxis(place[labels], -1, 0) + noise).astype(np.float32), labels
