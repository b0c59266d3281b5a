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


def test_integers_keep_their_digits():
    points = np.repeat([[0, 0], [40, 0], [80, 0]], 50, axis=0)
    points[:, 1] += np.tile(np.arange(10), 15)
    for shift in (0, 10**9):
        assert len(MeanShift(bandwidth=15).fit(points + shift).cluster_centers_) == 3
