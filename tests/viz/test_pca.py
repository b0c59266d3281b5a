"""PCA colours: comparable between images and between epochs."""

import numpy as np
import pytest

from embedseg.viz import pca_rgb
from embedseg.viz.colors import BACKGROUND_COLOR
from embedseg.viz.pca import align, fit_basis

from .scenes import discs, embed


def test_axes_are_the_principal_ones_in_order():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(5, 4000)) * np.array([1, 4, 0.5, 2, 3])[:, None] + 7
    basis = fit_basis(x)
    assert np.abs(basis.axes).argmax(1).tolist() == [1, 4, 3]
    assert (basis.axes[range(3), [1, 4, 3]] > 0.9).all()  # the sign rule
    np.testing.assert_allclose(basis.mean, x.mean(1))


def test_sign_and_order_survive_another_sample_of_the_same_embedding():
    labels = discs(9)
    one, two = (fit_basis(embed(labels)[:, labels > 0][:, k::2]) for k in (0, 1))
    np.testing.assert_allclose(one.axes, two.axes, atol=0.02)


def test_epochs_are_comparable_through_the_reference():
    """An embedding drifts until its first two axes change places; colours drift with it."""
    rng = np.random.default_rng(1)
    labels = discs(9)
    unit = embed(labels, E=4, seed=2) / 3
    first, basis = pca_rgb(unit, labels > 0)
    swapped = unit + rng.normal(0, 0.02, unit.shape).astype(np.float32)
    stretch = basis.axes[1][:, None, None] * np.einsum("e,ehw->hw", basis.axes[1], swapped)
    swapped = (swapped + 1.5 * stretch).astype(np.float32)
    free, free_basis = pca_rgb(swapped, labels > 0)
    held, held_basis = pca_rgb(swapped, labels > 0, reference=basis)
    agreement = np.abs(free_basis.axes @ basis.axes.T)
    assert agreement[0, 0] < 0.5  # the test means something: the order did change
    assert (np.diag(held_basis.axes @ basis.axes.T) > 0.9).all()
    inside = labels > 0
    drift = np.abs(held[inside].astype(int) - first[inside]).mean()
    assert drift < 0.3 * np.abs(free[inside].astype(int) - first[inside]).mean()


def test_align_undoes_every_flip_and_permutation():
    basis = fit_basis(np.random.default_rng(0).normal(size=(6, 500)) * np.arange(1, 7)[:, None])
    order, sign = [2, 0, 1], np.array([-1.0, 1.0, -1.0])
    low, high = basis.low[order] * sign, basis.high[order] * sign
    turned = basis._replace(
        axes=basis.axes[order] * sign[:, None],
        low=np.minimum(low, high),
        high=np.maximum(low, high),
    )
    for got, wanted in zip(align(turned, basis), basis, strict=True):
        np.testing.assert_allclose(got, wanted)


def test_one_basis_paints_equal_vectors_equally():
    labels = discs(4)
    embedding = embed(labels)
    whole, basis = pca_rgb(embedding)
    part, same = pca_rgb(embedding[:, :50], basis=basis)
    assert same is basis and (part == whole[:50]).all()


def test_mask_is_painted_and_the_rest_is_ground():
    labels = discs(4)
    picture, _ = pca_rgb(embed(labels), labels > 0)
    assert (picture[labels == 0] == BACKGROUND_COLOR).all()
    assert len(np.unique(picture[labels > 0], axis=0)) > 4


def test_an_empty_mask_gives_a_dark_picture():
    labels = discs(4)
    picture, _ = pca_rgb(embed(labels), np.zeros(labels.shape, bool))
    assert (picture == BACKGROUND_COLOR).all()


@pytest.mark.parametrize("E", [1, 2, 3])
def test_few_channels_and_constant_embeddings(E):
    picture, basis = pca_rgb(embed(discs(3), E=E))
    assert basis.axes.shape == (3, E) and picture.shape == (128, 128, 3)
    flat, _ = pca_rgb(np.ones((E, 4, 4), np.float32))
    assert len(np.unique(flat)) == 1


def test_wrong_arguments():
    with pytest.raises(ValueError, match="NaN"):
        pca_rgb(np.full((3, 4, 4), np.nan))
    with pytest.raises(ValueError, match="without the batch axis"):
        pca_rgb(np.zeros((1, 3, 4, 4)))
    with pytest.raises(ValueError, match="size"):
        pca_rgb(np.zeros((3, 4, 4)), np.ones((2, 2), bool))
    _, basis = pca_rgb(np.random.default_rng(0).normal(size=(3, 4, 4)))
    with pytest.raises(ValueError, match="fit a new one"):
        pca_rgb(np.zeros((5, 4, 4)), basis=basis)
