"""Embeddings brought to two dimensions: PCA and LDA (linear, keep distances), t-SNE, UMAP."""

from collections.abc import Callable
from importlib.util import find_spec
from typing import NamedTuple

import numpy as np

from embedseg.names import unknown
from embedseg.viz.arrays import Array, Floats

PERPLEXITY = 30.0  # of t-SNE, lowered for few points


class Plane(NamedTuple):
    """An orthonormal projection: y = axes @ (x - mean). Distances never grow."""

    mean: Floats  # (E,)
    axes: Floats  # (2, E)

    def project(self, vectors: Array) -> Floats:
        """Points (2, N) of vectors (E, N)."""
        return self.axes @ (vectors.astype(np.float64) - self.mean[:, None])


def pca_plane(vectors: Array) -> Plane:
    """Plane of the greatest variance of vectors (E, N), N >= 1; signed as in `pca`."""
    from embedseg.viz.pca import fit_basis

    basis = fit_basis(vectors)
    return Plane(basis.mean, basis.axes[:2])


def lda_plane(vectors: Array, labels: Array) -> Plane:
    """Plane in which instances lie farthest apart against their own spread.

    Fisher's directions: the first eigenvectors of S_w^-1 S_b, with S_b the scatter of the means
    (each instance counting once) and S_w the mean scatter within, made orthonormal so that circles
    stay circles. With fewer than two instances it is the plane of PCA.
    """
    ids, index = np.unique(labels, return_inverse=True)
    if len(ids) < 2:
        return pca_plane(vectors)
    x = vectors.astype(np.float64)
    means = _means(x, index, len(ids))
    within = x - means[:, index]
    E = len(x)
    spread = within @ within.T / x.shape[1]
    spread += np.eye(E) * (1e-6 * np.trace(spread) / E + 1e-12)
    between = means - means.mean(1, keepdims=True)
    whiten = np.linalg.inv(np.linalg.cholesky(spread))
    _, directions = np.linalg.eigh(whiten @ between @ between.T @ whiten.T)
    axes = np.zeros((2, E))
    top = whiten.T @ directions[:, ::-1][:, : min(2, E)]
    axes[: top.shape[1]] = np.linalg.qr(top)[0].T
    axes *= np.where((axes**3).sum(1) < 0, -1.0, 1.0)[:, None]
    return Plane(means.mean(1), axes)


def tsne(vectors: Array) -> Floats:
    """Points (2, N) by t-SNE (van der Maaten and Hinton, 2008); distances have no scale."""
    from sklearn.manifold import TSNE

    count = vectors.shape[1]
    if count < 4:
        return pca_plane(vectors).project(vectors)
    perplexity = min(PERPLEXITY, (count - 1) / 3)
    start = "pca" if len(vectors) > 1 else "random"  # one channel has no plane to start from
    model = TSNE(perplexity=perplexity, init=start, random_state=0)
    return np.asarray(model.fit_transform(vectors.T.astype(np.float32))).T


def umap(vectors: Array) -> Floats:
    """Points (2, N) by UMAP (McInnes et al., 2018), which is an extra."""
    check_method("umap")
    from umap import UMAP

    model = UMAP(n_neighbors=min(15, vectors.shape[1] - 1), random_state=0)
    return np.asarray(model.fit_transform(vectors.T), np.float64).T


def _means(x: Floats, index: Array, count: int) -> Floats:
    sizes = np.bincount(index, minlength=count)
    sums = np.stack([np.bincount(index, weights=channel, minlength=count) for channel in x])
    return sums / sizes


METHODS: dict[str, Callable[[Array, Array], Floats]] = {
    "pca": lambda vectors, _: pca_plane(vectors).project(vectors),
    "lda": lambda vectors, labels: lda_plane(vectors, labels).project(vectors),
    "tsne": lambda vectors, _: tsne(vectors),
    "umap": lambda vectors, _: umap(vectors),
}
LINEAR = ("pca", "lda")  # distances in the plane are projections of true distances


def check_method(method: str) -> None:
    """Raise ValueError where a method is unknown or its package is not installed."""
    if method not in METHODS:
        raise unknown("scatter", method, METHODS)
    if method == "umap" and find_spec("umap") is None:
        raise ValueError(
            "scatter 'umap' needs a package that is not installed; "
            "run: pip install umap-learn, or use 'tsne'"
        )


def to_plane(vectors: Array, labels: Array, method: str) -> Floats:
    """Points (2, N) of vectors (E, N), N >= 1, with labels (N,), by a method of METHODS."""
    check_method(method)
    return METHODS[method](vectors, labels)
