"""The drawings of the gallery's pictures: what is drawn, what is left out, of what size."""

import numpy as np
import pytest

from embedseg.io import write_image
from embedseg.viz import drawings, plot_scatter
from embedseg.viz.explorer_data import resize_labels
from embedseg.viz.legend import with_scale
from embedseg.viz.maps import HEAT_STOPS, MARGIN_STOPS

from .gallery import GALLERY

ALWAYS = ["overlay", "pca", "foreground"]


@pytest.mark.parametrize("name", GALLERY)
def test_drawings_of(name, artifacts):
    scene = GALLERY[name]()
    if scene is None:
        pytest.skip("no real data here; set EMBEDSEG_DATA")
    pictures, basis = drawings(
        scene.image, scene.embedding, scene.foreground, scene.labels, scene.truth
    )
    count = len(np.unique(scene.labels[scene.labels > 0]))
    wanted = ALWAYS + ["heat"] * (count > 0) + ["margin"] * (count > 1) + ["errors"]
    assert list(pictures) == wanted
    height, width = (max(1, -(-512 // max(scene.image.shape))) * n for n in scene.labels.shape)
    for word, drawn in pictures.items():
        write_image(artifacts / f"{name} {word}.png", drawn)
        strip = drawn.shape[0] - height
        assert strip == (26 if word in ("heat", "margin", "errors") else 0), word
        assert drawn.shape[1] == width and drawn.dtype == np.uint8
    coarse = resize_labels(scene.labels, scene.embedding.shape[1:])
    plot_scatter(artifacts / f"{name} scatter.png", scene.embedding, coarse, delta_v=0.5)
    again, _ = drawings(
        scene.image, scene.embedding, scene.foreground, scene.labels, reference=basis
    )
    assert "errors" not in again and (again["pca"] == pictures["pca"]).all()


def test_heat_is_bright_where_the_largest_instance_is():
    scene = GALLERY["generated plant"]()
    heat = drawings(scene.image, scene.embedding, scene.foreground, scene.labels)[0]["heat"]
    largest = np.bincount(scene.labels[scene.labels > 0]).argmax()
    own = resize_labels(scene.truth, heat[:-26].shape[:2]) == largest
    other = resize_labels(scene.labels, own.shape) > 0
    light = heat[:-26].mean(-1)
    assert np.median(light[own]) > 2 * np.median(light[other & ~own])


def test_a_reference_keeps_the_colours_of_a_picture_whose_axes_are_signed_otherwise():
    scene = GALLERY["generated plant"]()
    inputs = (scene.image, scene.embedding, scene.foreground, scene.labels)
    first, basis = drawings(*inputs)
    other = basis._replace(axes=-basis.axes[[1, 2, 0]])  # what another picture's fit could give
    second, _ = drawings(*inputs, reference=other)
    third, _ = drawings(*inputs, reference=basis)
    assert (third["pca"] == first["pca"]).all() and (second["pca"] != first["pca"]).any()


@pytest.mark.parametrize("width", [40, 300])
def test_the_strip_shows_the_scale_from_low_to_high(width):
    picture = np.zeros((10, width, 3), np.uint8)
    drawn = with_scale(picture, MARGIN_STOPS, "own", "other")
    assert drawn.shape == (36, width, 3) and (drawn[:10] == 0).all()
    first, last = (tuple(bytes.fromhex(MARGIN_STOPS[at])) for at in (0, -1))
    row = [tuple(pixel) for pixel in drawn[10 + 13].tolist()]
    assert first in row and (width < 100 or row.index(first) < row.index(last))
    assert (with_scale(picture, HEAT_STOPS, "a", "b")[10:] != drawn[10:]).any()
