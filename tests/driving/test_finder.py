"""Lanes of a picture: the network's grid to curves of the picture, and the odd cases."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from embedseg.driving.finder import (
    LaneFinder,
    foot,
    foreground,
    is_speck,
    logit,
    read_homography,
)
from embedseg.inference.segment import probabilities
from embedseg.io import InputError
from embedseg.lanes.hnet import HNet
from embedseg.lanes.polylines import Lanes, at_rows
from tests.driving.painted import BIG, MEANS, PAINT, STEP, PaintedModel, road, three


def finder(**options: object) -> LaneFinder:
    return LaneFinder(PaintedModel(), **options)  # type: ignore[arg-type]


def gap(found: np.ndarray, truth: np.ndarray) -> float:
    rows = np.arange(130.0, 350, 10)
    return float(np.abs(at_rows(found, rows) - at_rows(truth, rows)).max())


def test_lanes_come_from_left_to_right_in_the_picture_with_their_embeddings() -> None:
    truth = three()
    turned = Lanes(truth.points, BIG, ids=(3, 1, 2))
    lanes, means = finder()(road(turned), "a.png")
    assert lanes.ids == (1, 2, 3) and lanes.size == BIG and lanes.name == "a.png"
    for got, want in zip(lanes.points, truth.points, strict=True):
        assert gap(got, want) < 2
    np.testing.assert_allclose(means, MEANS[[3, 1, 2]], atol=1e-5)


def test_no_lane_and_a_picture_full_of_it_are_defined() -> None:
    empty = finder()(np.zeros((*BIG, 3), np.uint8))
    assert len(empty.lanes) == 0 and empty.means.shape == (0, 4)
    full = np.full((*BIG, 3), PAINT + STEP, np.uint8)
    (lane,) = finder()(full).lanes.points
    np.testing.assert_allclose(lane[:, 0], (BIG[1] - 1) / 2, atol=1e-6)


def test_homography_of_the_user_and_of_hnet() -> None:
    image = road(three())
    plain = finder()(image).lanes
    for options in ({"homography": np.eye(3)}, {"hnet": HNet().eval()}):
        lanes = finder(**options)(image).lanes
        assert len(lanes) == 3
        for a, b in zip(plain.points, lanes.points, strict=True):
            assert gap(a, b) < 1.5
    with pytest.raises(ValueError, match="not both"):
        finder(homography=np.eye(3), hnet=HNet())


def test_the_horizon_of_hnet_cuts_no_lane_off() -> None:
    net = HNet().eval()
    with torch.no_grad():
        net.numbers[-1].bias[5] = 6.0  # a horizon in the middle of the lanes
    for got, want in zip(finder(hnet=net)(road(three())).lanes.points, three().points, strict=True):
        assert gap(got, want) < 2 and got[0, 1] < want[0, 1] + 10


def test_homography_file(tmp_path: Path) -> None:
    path = tmp_path / "h.json"
    path.write_text(json.dumps([[1, 0, 0], [0, 1, 0], [0, -0.01, 1]]))
    assert read_homography(path)[2, 1] == -0.01
    for text, words in (
        ("[1, 2", "not a JSON file"), ("[[1, 2]]", "3 x 3"),
        ("[[0, 0, 0], [0, 1, 0], [0, 0, 1]]", "invert"),
        ('[["a", 2, 3], [1, 2, 3], [1, 2, 3]]', "not a JSON file"),
    ):  # fmt: skip
        path.write_text(text)
        with pytest.raises(InputError, match=words):
            read_homography(path)
    with pytest.raises(InputError, match="none"):
        read_homography(tmp_path / "none.json")


def test_what_is_not_finite_names_the_picture() -> None:
    class Broken(PaintedModel):
        def __call__(self, batch: torch.Tensor) -> dict[str, torch.Tensor]:
            outputs = super().__call__(batch)
            outputs["embedding"][-1, 0, 3, 3] = torch.nan
            return outputs

    broken = LaneFinder(Broken())  # type: ignore[arg-type]
    small = [broken.prepare(road(three()))] * 2
    with pytest.raises(InputError, match=r"b\.png: the network's embedding is not finite"):
        broken.network(small, ["a.png", "b.png"])


@pytest.mark.parametrize("classes", [1, 2, 4])
@pytest.mark.parametrize("threshold", [0.2, 0.7])
def test_foreground_is_that_of_the_probabilities(classes: int, threshold: float) -> None:
    logits = 3 * np.random.default_rng(classes).standard_normal((classes, 9, 11))
    want = 1 - probabilities(torch.from_numpy(logits).float())[0] > threshold
    np.testing.assert_array_equal(foreground(logits.astype(np.float32), threshold), want)


def test_near_clusters_are_merged_as_the_model_says() -> None:
    image = road(three())
    merging = LaneFinder(PaintedModel(merge=4.5))  # type: ignore[arg-type]
    labels, means = merging.cluster(*_outputs(merging, image))
    assert len(means) == labels.max() == 1
    assert len(finder().cluster(*_outputs(finder(), image))[1]) == 3


def _outputs(lanes: LaneFinder, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    outputs = lanes.network([lanes.prepare(image)], ["x"])
    return outputs["embedding"][0], outputs["semantic"][0]


def test_foot_goes_straight_on() -> None:
    assert foot(np.array([[10.0, 0], [20, 10]]), 31) == 40
    assert foot(np.array([[20.0, 10], [10, 0]]), 31) == 40
    assert foot(np.array([[7.0, 5]]), 31) == 7
    assert foot(np.array([[1.0, 5], [9, 5]]), 31) == 9


def test_only_pixels_that_the_seed_head_trusts_found_clusters() -> None:
    embedding = np.zeros((4, 60, 90), np.float32)
    embedding[0, :, 30:60], embedding[0, :, 60:] = 4.0, 8.0
    logits, seed = np.full((1, 60, 90), 4.0, np.float32), np.full((1, 60, 90), -4.0, np.float32)
    seed[:, :, :20] = seed[:, :, 70:] = 4.0
    labels, means = finder().cluster(embedding, logits)
    assert len(means) == 3 and len(np.unique(labels)) == 3
    labels, means = finder().cluster(embedding, logits, seed)
    assert sorted(means[:, 0]) == pytest.approx([0, 8], abs=1e-5)
    assert (labels[:, :30] == labels[0, 0]).all() and (labels[:, 60:] == labels[0, 89]).all()
    assert (labels > 0).all() and labels[0, 0] != labels[0, 89]
    untrusted, _ = finder().cluster(embedding, logits, np.full_like(seed, -4.0))
    assert len(np.unique(untrusted)) == 3  # where none is trusted, all may


def test_specks_are_short_both_ways() -> None:
    assert is_speck(np.array([[100.0, 300], [160, 340]]), 720)
    assert not is_speck(np.array([[100.0, 300], [160, 350]]), 720)
    assert not is_speck(np.array([[100.0, 300], [500, 304]]), 720)
    assert is_speck(np.array([[5.0, 5]]), 720)


def test_logit_of_the_ends_is_infinite() -> None:
    assert logit(0.5) == 0 and logit(1) == np.inf and logit(0) == -np.inf
