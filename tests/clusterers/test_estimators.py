"""The contract of every clusterer: scikit-learn's own estimator checks, and the image door."""

import numpy as np
import pytest
import torch
from sklearn.metrics import adjusted_rand_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from clustering import CLUSTERERS, NOISE, MeanShift


@parametrize_with_checks([cls() for cls in CLUSTERERS.values()])
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def _image(rng, dims=3, shape=(24, 30)):
    labels = np.zeros(shape, int)
    labels[:10, :14] = 1
    labels[12:, :] = 2
    labels[2:8, 18:26] = 3
    centres = np.eye(4, dims) * 4 + 1
    embedding = centres[labels].transpose(2, 0, 1) + rng.uniform(-0.2, 0.2, (dims, *shape))
    return embedding.astype(np.float32), labels


@pytest.mark.parametrize("name", CLUSTERERS)
def test_image_and_points_agree(name):
    embedding, labels = _image(np.random.default_rng(0), dims=5)
    mask = labels > 0
    make = CLUSTERERS[name]
    options = {"bandwidth": 1.5} if "bandwidth" in make().get_params() else {}
    from_image = make(**options).fit_image(embedding, mask).labels_
    from_points = make(**options).fit_predict(embedding[:, mask].T)
    assert adjusted_rand_score(labels[mask], from_image) == 1.0
    np.testing.assert_array_equal(from_image, from_points)
    tensor = make(**options).fit_image(torch.from_numpy(embedding), torch.from_numpy(mask))
    assert isinstance(tensor.labels_, torch.Tensor)
    np.testing.assert_array_equal(tensor.labels_.numpy(), from_image)


@pytest.mark.parametrize("name", CLUSTERERS)
def test_no_pixel_gives_no_cluster(name):
    fitted = CLUSTERERS[name]().fit_image(np.zeros((3, 4, 5), np.float32), np.zeros((4, 5), bool))
    assert fitted.labels_.shape == (0,)
    assert fitted.cluster_centers_.shape == (0, 3)


@pytest.mark.parametrize("name", CLUSTERERS)
def test_nan_is_refused_in_one_sentence(name):
    embedding = np.zeros((3, 4, 5), np.float32)
    embedding[1, 2, 3] = np.nan
    with pytest.raises(ValueError, match="NaN or infinity in 1 of 20 points"):
        CLUSTERERS[name]().fit_image(embedding, np.ones((4, 5), bool))
    assert NOISE == -1


@pytest.mark.parametrize("name", CLUSTERERS)
def test_an_image_of_lists_is_that_of_arrays(name):
    embedding, labels = _image(np.random.default_rng(1))
    wanted = CLUSTERERS[name]().fit_image(embedding, labels > 0).labels_
    found = CLUSTERERS[name]().fit_image(embedding.tolist(), (labels > 0).tolist()).labels_
    np.testing.assert_array_equal(found, wanted)
    with pytest.raises(ValueError, match="mask must be boolean"):
        CLUSTERERS[name]().fit_image(embedding.tolist(), labels.tolist())


@pytest.mark.parametrize("join", [list, torch.stack])
def test_images_that_are_tensors_give_tensors(join):
    images = [_image(np.random.default_rng(seed)) for seed in (1, 2)]
    masks = [labels > 0 for _, labels in images]
    wanted = MeanShift(1.5).fit_images([embedding for embedding, _ in images], masks)
    assert isinstance(wanted.labels_, np.ndarray)
    tensors = join([torch.from_numpy(embedding) for embedding, _ in images])
    found = MeanShift(1.5).fit_images(tensors, join([torch.from_numpy(mask) for mask in masks]))
    assert found.labels_.dtype == torch.int32
    assert isinstance(found.cluster_centers_, torch.Tensor)
    np.testing.assert_array_equal(found.labels_.numpy(), wanted.labels_)


@pytest.mark.parametrize(("images", "masks"), [(0, 0), (2, 1), (1, 2)])
def test_images_without_masks_are_refused(images, masks):
    embeddings, inside = np.ones((images, 3, 4, 5)), np.ones((masks, 4, 5), bool)
    with pytest.raises(ValueError, match=f"^got {images} embeddings and {masks} masks; give"):
        MeanShift(1.5).fit_images(embeddings, inside)


def test_integers_keep_their_digits():
    points = np.repeat([[0, 0], [40, 0], [80, 0]], 50, axis=0)
    points[:, 1] += np.tile(np.arange(10), 15)
    for shift in (0, 10**9):
        assert len(MeanShift(bandwidth=15).fit(points + shift).cluster_centers_) == 3
