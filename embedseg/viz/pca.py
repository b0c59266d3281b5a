"""An embedding as a colour picture: its three main directions become red, green and blue.

Signs and order of principal axes are arbitrary, so two pictures would not compare. The rule here:
axes in the order of their variance, each signed so that the sum of its cubed loadings is
positive. A `reference` basis (the last epoch's) overrides it: the new axes are ordered and signed
to agree best with the old ones, so that colours change only as far as the embedding does.
"""

from typing import NamedTuple, cast

import numpy as np
from scipy.optimize import linear_sum_assignment

from embedseg.viz.arrays import Array, Floats, Mask, Picture
from embedseg.viz.colors import ground

_SAMPLE = 100_000  # pixels that a basis is fitted to; more change nothing that one can see
_RANGE = (1.0, 99.0)  # percentiles that become darkest and lightest
_FLOOR = 0.08  # the darkest foreground stays lighter than the background
_FLAT = 1e-6  # a spread below this is noise: the channel stays at half


class PcaBasis(NamedTuple):
    """An affine map from embedding to colour: clip((axes @ (x - mean) - low) / (high - low))."""

    mean: Floats  # (E,)
    axes: Floats  # (3, E), orthonormal rows; zero rows where E < 3
    low: Floats  # (3,)
    high: Floats  # (3,)


def pca_rgb(
    embedding: Array,
    mask: Mask | None = None,
    basis: PcaBasis | None = None,
    *,
    reference: PcaBasis | None = None,
) -> tuple[Picture, PcaBasis]:
    """RGB uint8 picture (H, W, 3) of `embedding` (E, H, W), and the basis it was made with.

    Only pixels of `mask` (H, W) are fitted and painted, all without it. Images that shall be
    compared take one `basis`; epochs of a run pass the last epoch's as `reference`.
    """
    embedding = _checked(embedding)
    size = embedding.shape[1:]
    if mask is None:
        mask = np.ones(size, bool)
    mask = np.asarray(mask, bool)
    if mask.shape != size:
        raise ValueError(f"mask must have the embedding's size {size}, got {mask.shape}")
    if basis is not None and basis.axes.shape[1] != embedding.shape[0]:
        raise ValueError(
            f"basis is of {basis.axes.shape[1]} channels, the embedding has {embedding.shape[0]}; "
            "fit a new one with basis=None"
        )
    vectors = embedding[:, mask]
    if basis is None:
        basis = fit_basis(vectors if vectors.size else embedding.reshape(len(embedding), -1))
        basis = align(basis, reference) if reference is not None else basis
    picture = ground(*size)
    picture[mask] = _colors(vectors, basis)
    return picture, basis


def fit_basis(vectors: Array) -> PcaBasis:
    """Fit a basis to vectors (E, N), N >= 1, by the sign and order rule of this file."""
    E, N = vectors.shape
    x = vectors[:, :: max(1, N // _SAMPLE)].astype(np.float64)
    mean = x.mean(1)
    centred = x - mean[:, None]
    _, eigenvectors = np.linalg.eigh(centred @ centred.T / x.shape[1])
    axes = np.zeros((3, E))
    axes[: min(3, E)] = eigenvectors.T[::-1][:3]
    axes *= np.where((axes**3).sum(1) < 0, -1.0, 1.0)[:, None]
    low, high = np.percentile(axes @ centred, _RANGE, axis=1)
    return PcaBasis(mean, axes, low, high)


def align(basis: PcaBasis, reference: PcaBasis) -> PcaBasis:
    """Order and sign the axes of `basis` so that they agree best with those of `reference`."""
    if basis.axes.shape != reference.axes.shape:
        return basis  # another network: nothing to agree with
    cosine = reference.axes @ basis.axes.T
    _, order = linear_sum_assignment(-np.abs(cosine))
    sign = np.where(cosine[np.arange(3), order] < 0, -1.0, 1.0)
    low, high = basis.low[order] * sign, basis.high[order] * sign
    return PcaBasis(
        basis.mean, basis.axes[order] * sign[:, None], np.minimum(low, high), np.maximum(low, high)
    )


def _colors(vectors: Array, basis: PcaBasis) -> Picture:
    """Colours (N, 3) of vectors (E, N)."""
    spread = basis.high - basis.low
    flat = spread < _FLAT
    scale = 1 / np.where(flat, 1, spread)
    axes = (basis.axes * scale[:, None]).astype(np.float32)
    offset = -basis.axes @ basis.mean * scale - basis.low * scale
    value = axes @ vectors.astype(np.float32) + offset.astype(np.float32)[:, None]
    value[flat] = 0.5
    value = _FLOOR + (1 - _FLOOR) * np.clip(value, 0, 1)
    return cast(Picture, (255 * value.T).round().astype(np.uint8))


def _checked(embedding: Array) -> Array:
    embedding = np.asarray(embedding)
    if embedding.ndim != 3 or embedding.dtype.kind != "f":
        raise ValueError(
            f"embedding must be floating (E, H, W), got {embedding.dtype} {embedding.shape}; "
            "pass one image, without the batch axis"
        )
    if not np.isfinite(embedding).all():
        raise ValueError("embedding holds NaN or infinity; look at the run's loss and at the image")
    return embedding
