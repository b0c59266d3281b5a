"""Distance and margin maps against hand-made embeddings."""

import numpy as np
import pytest

from embedseg.viz.colors import BACKGROUND_COLOR
from embedseg.viz.maps import distance_map, heat_picture, margin_map, margin_picture

from .palette_rule import oklab


def _line():
    """Embedding on a line: two instances at 0 and 10, one pixel of the first at 6."""
    embedding = np.array([[[0.0, 0, 6, 10, 10, 50]], [[0.0] * 6]])
    labels = np.array([[1, 1, 1, 2, 2, 0]])
    return embedding, labels


def test_distance_to_a_pixel():
    embedding, _ = _line()
    assert distance_map(embedding, 0, 2).tolist() == [[6, 6, 0, 4, 4, 44]]
    with pytest.raises(ValueError, match="outside"):
        distance_map(embedding, 1, 0)


@pytest.mark.parametrize("kind", [np.float16, np.uint8, np.int16])
def test_distances_of_small_numbers_do_not_wrap(kind):
    embedding = np.array([[[200, 0, 7]], [[0, 240, 7]]], kind)
    wanted = distance_map(embedding.astype(np.float64), 0, 0)
    np.testing.assert_allclose(distance_map(embedding, 0, 0), wanted)


def test_margin_is_own_minus_nearest_other():
    embedding, labels = _line()  # means: 2 and 10
    margin = margin_map(embedding, labels)
    np.testing.assert_allclose(margin[0, :5], [2 - 10, 2 - 10, 4 - 4, 0 - 8, 0 - 8])
    assert np.isnan(margin[0, 5])


def test_margin_is_the_nearest_of_several():
    embedding = np.array([[[0.0, 10, 3]]])
    margin = margin_map(embedding, np.array([[1, 2, 3]]))
    np.testing.assert_allclose(margin[0], [-3, -7, -3])


def test_margin_of_one_instance_is_undefined():
    assert np.isnan(margin_map(np.zeros((2, 3, 3)), np.ones((3, 3), int))).all()


def test_heat_grows_lighter_the_nearer():
    picture = heat_picture(np.linspace(0, 4, 100)[None], reach=3.0)
    lightness = oklab(picture[0])[:, 0]
    assert (np.diff(lightness[:75]) <= 1e-3).all() and lightness[0] - lightness[75] > 0.7
    assert (picture[0, 75:] == picture[0, 99]).all()


def test_margin_colours():
    margins = np.array([[-3.0, 0.0, 3.0, np.nan]])
    blue, white, orange, ground = margin_picture(margins, reach=3.0)[0].astype(int)
    assert blue[2] > blue[0] + 60 and white.min() > 235 and orange[0] > orange[2] + 100
    assert tuple(ground) == BACKGROUND_COLOR


def test_mask_and_reach():
    picture = heat_picture(np.zeros((1, 2)), reach=1, mask=np.array([[True, False]]))
    assert tuple(picture[0, 1]) == BACKGROUND_COLOR != tuple(picture[0, 0])
    with pytest.raises(ValueError, match="reach must be > 0"):
        heat_picture(np.zeros((1, 1)), reach=0)
    with pytest.raises(ValueError, match="reach must be > 0"):
        margin_picture(np.zeros((1, 1)), reach=-1)


def test_another_size_than_the_embedding_is_told():
    embedding, labels = _line()
    for wrong in (labels.repeat(2, axis=0), labels[:, :3]):
        with pytest.raises(ValueError, match=r"labels must have .* size \(1, 6\), got"):
            margin_map(embedding, wrong)
        with pytest.raises(ValueError, match=r"mask must have .* size \(1, 6\), got"):
            heat_picture(distance_map(embedding, 0, 2), reach=3.0, mask=wrong > 0)
