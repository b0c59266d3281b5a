"""Segmentation of pictures by a small trained model, and its parts on made-up outputs."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import embedseg
from clustering import MeanShift
from embedseg.data.centres import centre_map
from embedseg.inference.measure import measure
from embedseg.inference.segment import segment
from embedseg.inference.spec import ModelSpec
from embedseg.inference.upsample import upsample_labels
from embedseg.io import InputError
from embedseg.metrics import symmetric_best_dice
from embedseg.model import Model
from tests.scenes import discs


@pytest.fixture(scope="module")
def model(tiny_run: Path) -> Model:
    return embedseg.load(tiny_run, device="cpu", amp="off")


def ideal(labels: np.ndarray, stride: int = 1):
    """A model that outputs a perfect embedding (id on the first axis) for one label image."""

    def outputs(batch: torch.Tensor) -> dict[str, torch.Tensor]:
        small = torch.from_numpy(labels[::stride, ::stride].astype(np.float32))
        embedding = torch.stack([3.0 * small, torch.zeros_like(small)])[None]
        return {"embedding": embedding, "semantic": 20.0 * (small > 0).float()[None, None] - 10.0}

    return outputs


SPEC = ModelSpec(backbone="unet", embedding_dim=2, min_size=4)


def test_trained_model_finds_the_discs(model: Model) -> None:
    scores = [
        symmetric_best_dice(model.segment(image).labels, labels)
        for image, labels in (discs(seed) for seed in range(100, 104))
    ]
    assert np.mean(scores) > 0.7


def test_confidence_is_by_the_bandwidth_that_is_used(model: Model) -> None:
    image, _ = discs(5)
    spec = model.spec.with_bandwidth(0.4)
    given = model.segment(image, clusterer=MeanShift(bandwidth=0.4))
    stored = segment(image, model, spec)
    np.testing.assert_array_equal(given.labels, stored.labels)
    assert given.scores == stored.scores != segment(image, model, model.spec).scores


def test_any_size_comes_back(model: Model) -> None:
    for shape in ((33, 47), (64, 64), (101, 20), (5, 7)):
        image = np.zeros((*shape, 3), np.uint8)
        assert model.segment(image).labels.shape == shape


def test_perfect_outputs_give_perfect_labels() -> None:
    image, labels = discs(3)
    result = segment(image, ideal(labels), SPEC)
    assert symmetric_best_dice(result.labels, labels) == 1
    assert sorted(result.scores) == list(range(1, labels.max() + 1))
    assert all(0.95 < score <= 1 for score in result.scores.values())


def test_coarse_outputs_come_back_at_full_size() -> None:
    image, labels = discs(4, size=128)
    result = segment(image, ideal(labels, stride=2), SPEC)
    assert symmetric_best_dice(result.labels, labels) > 0.95


def test_given_foreground_is_kept_exactly() -> None:
    image, labels = discs(5)
    mask = labels > 0
    mask[:3] = True  # far from every disc: still foreground, so it belongs to an instance
    result = segment(image, ideal(labels), SPEC, foreground=mask)
    assert np.array_equal(result.labels > 0, mask)


@pytest.mark.parametrize("certain", [0, 11, 60])
def test_instances_are_found_where_hardly_a_pixel_is_trusted(certain: int) -> None:
    image, labels = discs(3)
    places = np.flatnonzero(labels)[:: max(np.count_nonzero(labels) // max(certain, 1), 1)]
    seed = np.full(labels.shape, -9.0, np.float32)
    seed.flat[places[:certain]] = 9.0
    network = ideal(labels)

    def outputs(batch: torch.Tensor) -> dict[str, torch.Tensor]:
        return network(batch) | {"seed": torch.from_numpy(seed)[None, None]}

    assert symmetric_best_dice(segment(image, outputs, SPEC).labels, labels) == 1


@pytest.mark.parametrize("clusterer", ["centres", "mean_shift"])
def test_centres_found_instances_that_share_a_hill(clusterer: str) -> None:
    """Two pairs of discs have vectors close together; each disc has a peak, and so has the ground.

    The vector at the peak outside would stand for both discs of a pair.
    """
    image, labels = discs(6)
    network = ideal(labels)
    heat = torch.from_numpy(np.where(centre_map(labels) == 1, 4.0, -9.0).astype(np.float32))
    heat[tuple(np.argwhere(labels == 0)[0])] = 5.0
    pairs = torch.tensor([1.5, 1.0, 2.0, 6.0, 7.0])[torch.from_numpy(labels).long()]
    pairs = pairs + 0.1 * torch.randn(pairs.shape, generator=torch.Generator().manual_seed(0))

    def outputs(batch: torch.Tensor) -> dict[str, torch.Tensor]:
        found = network(batch)
        vectors = torch.stack([pairs, 0 * pairs])[None]
        return found | {"embedding": vectors, "centre": heat[None, None]}

    spec = ModelSpec(
        backbone="unet", embedding_dim=2, min_size=4, clusterer=clusterer,
        clusterer_options={"bandwidth": 0.8}, centre_head=True,
    )  # fmt: skip
    result = segment(image, outputs, spec)
    assert (symmetric_best_dice(result.labels, labels) > 0.98) == (clusterer == "centres")
    assert (len(result) == 4) == (clusterer == "centres")


def test_merge_joins_near_clusters() -> None:
    image, labels = discs(6)
    near = ModelSpec(backbone="unet", embedding_dim=2, min_size=4, merge=4.0)
    # centres 3, 6, 9, 12: two pairs join, at 4.5 and 10.5, and stay apart
    assert len(segment(image, ideal(labels), near)) == 2


@pytest.mark.parametrize(("components", "count"), [("all", 1), ("split", 2), ("largest", 1)])
def test_pieces_of_an_instance(components: str, count: int) -> None:
    labels = np.zeros((32, 32), np.int32)
    labels[4:14, 4:14] = 1
    labels[20:26, 20:26] = 1
    spec = ModelSpec(backbone="unet", embedding_dim=2, min_size=4, components=components)
    result = segment(np.zeros((32, 32, 3), np.uint8), ideal(labels), spec)
    assert len(result) == count
    # the foreground is the network's, so a dropped piece goes to the nearest instance
    assert (result.labels > 0).sum() == (labels > 0).sum()


def test_nothing_in_the_picture() -> None:
    empty = np.zeros((20, 30), np.int32)
    result = segment(np.zeros((20, 30, 3), np.uint8), ideal(empty), SPEC)
    assert len(result) == 0 and not result.labels.any() and result.table() == []


def test_classes_are_clustered_apart() -> None:
    labels = np.zeros((32, 32), np.int32)
    labels[:, 4:14], labels[:, 14:26] = 1, 2

    def outputs(batch: torch.Tensor) -> dict[str, torch.Tensor]:
        semantic = torch.stack([torch.from_numpy(10.0 * (labels == k)) for k in range(3)])
        return {"embedding": torch.zeros(1, 2, 32, 32), "semantic": semantic[None].float()}

    spec = ModelSpec(backbone="unet", embedding_dim=2, min_size=4, classes=3)
    result = segment(np.zeros((32, 32, 3), np.uint8), outputs, spec)
    assert symmetric_best_dice(result.labels, labels) == 1


def test_nan_embedding_is_refused() -> None:
    def broken(batch: torch.Tensor) -> dict[str, torch.Tensor]:
        return {
            "embedding": torch.full((1, 2, 8, 8), torch.nan),
            "semantic": torch.zeros(1, 1, 8, 8),
        }

    with pytest.raises(InputError, match="not finite"):
        segment(np.zeros((8, 8, 3), np.uint8), broken, SPEC)


def test_one_bad_vector_outside_the_foreground_is_refused() -> None:
    def broken(batch: torch.Tensor) -> dict[str, torch.Tensor]:
        embedding = torch.zeros(1, 2, 8, 8)
        embedding[0, 0, 7, 7] = torch.nan
        semantic = torch.full((1, 1, 8, 8), -5.0)
        semantic[..., :4, :4] = 5
        return {"embedding": embedding, "semantic": semantic}

    image = np.zeros((8, 8, 3), np.uint8)
    with pytest.raises(InputError, match="plant7: the network's embedding is not finite"):
        segment(image, broken, ModelSpec(backbone="unet"), name="plant7")


def test_numbers_stay_consecutive_where_upsampling_loses_an_instance() -> None:
    labels = np.zeros((8, 8), np.int32)
    labels[:3], labels[4], labels[6:, :2] = 1, 2, 3

    def outputs(batch: torch.Tensor) -> dict[str, torch.Tensor]:
        found = ideal(labels)(batch)
        found["semantic"][0, 0, 4] = 0.1  # foreground there, between rows that are not
        return found

    spec = replace(SPEC, min_size=1, working_size=8, clusterer_options={"min_points": 1})
    small = segment(np.zeros((8, 8, 3), np.uint8), outputs, spec).labels
    assert set(np.unique(small)) == {0, 1, 2, 3}
    large = segment(np.zeros((16, 16, 3), np.uint8), outputs, spec).labels
    assert set(np.unique(large)) == {0, 1, 2}


def test_foreground_of_another_size_is_refused(model: Model) -> None:
    with pytest.raises(ValueError, match="foreground must have the image's size"):
        model.segment(np.zeros((8, 8, 3), np.uint8), foreground=np.ones((4, 4)))


def test_upsampling_is_the_argmax_of_interpolated_memberships() -> None:
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 4, (7, 9)).astype(np.int32)
    shape = (20, 31)
    fine = upsample_labels(coarse, np.ones(shape, bool))
    rows = np.clip((np.arange(shape[0]) + 0.5) * 7 / 20 - 0.5, 0, 6)
    columns = np.clip((np.arange(shape[1]) + 0.5) * 9 / 31 - 0.5, 0, 8)
    for i, y in enumerate(rows):
        for j, x in enumerate(columns):
            votes = {}
            for a in (int(y), min(int(y) + 1, 6)):
                for b in (int(x), min(int(x) + 1, 8)):
                    weight = (1 - abs(y - a)) * (1 - abs(x - b)) if a == int(y) or y > a - 1 else 0
                    votes[coarse[a, b]] = votes.get(coarse[a, b], 0) + weight
            votes.pop(0, None)
            if votes and max(votes.values()) > 1e-6:
                assert votes[fine[i, j]] == pytest.approx(max(votes.values()), abs=1e-5)


def test_measurements_by_hand() -> None:
    labels = np.zeros((5, 6), np.int32)
    labels[1:3, 2:5] = 7
    image = np.zeros((5, 6, 3), np.uint8)
    image[1, 2:5], image[2, 2:5] = (10, 20, 30), (30, 20, 10)
    (row,) = measure(labels, {7: 0.5}, image, "x")
    assert row == {
        "image": "x", "id": 7, "area": 6, "centroid_row": 1.5, "centroid_column": 3.0,
        "row_min": 1, "column_min": 2, "row_max": 2, "column_max": 4, "score": 0.5,
        "mean_red": 20.0, "mean_green": 20.0, "mean_blue": 20.0,
    }  # fmt: skip


def test_grey_and_alpha_are_read_as_from_files(model: Model) -> None:
    image = discs(3)[0]
    alpha = np.concatenate([image, np.full_like(image[..., :1], 9)], 2)
    assert np.array_equal(model.segment(alpha).labels, model.segment(image).labels)
    grey = image[..., 0]
    thrice = np.repeat(grey[..., None], 3, axis=2)
    for form in (grey, grey[..., None]):
        assert np.array_equal(model.segment(form).labels, model.segment(thrice).labels)


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        (np.zeros((8, 8, 3)), "an array of float64; scale it to 0..255"),
        (np.zeros((8, 8, 3), np.uint16), "an array of uint16"),
        ([[0, 1], [1, 0]], "got list"),
        (np.zeros((8, 8, 2), np.uint8), r"one of shape \(8, 8, 2\)"),
        (np.zeros((2, 8, 8, 3), np.uint8), "one picture at a time"),
        (np.zeros((0, 8, 3), np.uint8), r"one of shape \(0, 8, 3\)"),
    ],
)
def test_what_is_no_picture_is_refused(model: Model, picture, message: str) -> None:
    with pytest.raises(InputError, match=message):
        model.segment(picture)
