"""The closer look: where it looks, and that what it sees lies where it belongs."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from embedseg import load
from embedseg.inference.segmenter import Segmenter
from embedseg.inference.spec import ModelSpec
from embedseg.inference.zoom import (
    NEVER,
    box_around,
    holds,
    large_pieces,
    on_canvas,
    place,
    zoomed_outputs,
)
from embedseg.info import describe_model
from embedseg.metrics import Scores, score_image
from embedseg.training.config import DataConfig
from embedseg.training.sources import open_sources
from tests.scenes import discs, train_discs

SPEC = ModelSpec(
    backbone="unet", working_size=40, zoom=1.2, embedding_dim=3, min_size=4, core_step=0.0
)


def colours(batch: torch.Tensor) -> dict[str, torch.Tensor]:
    """A network whose embedding is the colour, and whose foreground is what is bright."""
    colour = batch.float() / 25.5
    return {"embedding": colour, "semantic": 4 * (colour.amax(1, keepdim=True) - 3)}


class Eye(Segmenter):
    def __init__(self, spec: ModelSpec) -> None:
        self.spec, self.seen = spec, []

    def members(self):
        def network(batch: torch.Tensor) -> dict[str, torch.Tensor]:
            self.seen.append(batch)
            return colours(batch)

        return [(network, self.spec)]


def picture() -> tuple[np.ndarray, np.ndarray]:
    """Three patches in the lower right of a dark picture of 120 x 160."""
    image, labels = np.zeros((120, 160, 3), np.uint8), np.zeros((120, 160), np.int32)
    for number, (y, x, colour) in enumerate(
        [(70, 100, (250, 0, 0)), (70, 116, (0, 250, 0)), (86, 108, (0, 0, 250))], 1
    ):
        image[y : y + 14, x : x + 14], labels[y : y + 14, x : x + 14] = colour, number
    return image, labels


def test_the_box_is_a_square_with_a_margin_inside_the_picture() -> None:
    mask = np.zeros((12, 16), bool)
    mask[4:6, 8:12] = True  # in a picture of 120 x 160: rows 40..60, columns 80..120
    assert box_around(mask, 1.5, (120, 160)) == (slice(20, 80), slice(70, 130))
    assert box_around(mask, 4.0, (120, 160)) == (slice(0, 120), slice(20, 160))
    assert box_around(mask & False, 1.5, (120, 160)) == (slice(0, 120), slice(0, 160))
    mask[0, 0] = True
    assert not large_pieces(mask, 2)[0, 0] and large_pieces(mask, 2).sum() == 8
    assert large_pieces(mask, 8).sum() == 8 and not large_pieces(mask, 9).any()


def test_two_looks_see_more_and_put_it_where_it_belongs() -> None:
    image, truth = picture()
    near, far = Eye(SPEC), Eye(replace(SPEC, zoom=0.0))
    result = near.segment(image)
    assert [tuple(b.shape[2:]) for b in near.seen] == [(30, 40), (40, 40)]
    assert result.labels.shape == truth.shape
    scores = [
        Scores((score_image("", r.labels, truth),)).summary["SBD"]
        for r in (result, far.segment(image))
    ]
    assert scores[0] > 0.96 > scores[1]
    height, width = result.embedding.shape[1:]
    assert width / height == pytest.approx(160 / 120, rel=0.02) and width > 120
    assert not result.embedding[:, :10].any(), "nothing is known of what was not looked at"


@pytest.mark.parametrize("scales", [(1.25,), (2.0,), (1.0, 1.5)])
def test_the_second_look_at_another_scale_lies_where_it_belongs(scales: tuple[float, ...]) -> None:
    image, labels = picture()
    found = Eye(replace(SPEC, tta_scales=scales)).segment(image)
    assert len(found) == 3
    assert Scores((score_image("", found.labels, labels),)).summary["SBD"] > 0.9


def test_the_smallest_object_of_two_looks_is_counted_on_the_canvas() -> None:
    """At a single scale as well: the three patches of some 240 pixels there are no 9 * 30."""
    image, _ = picture()
    assert len(Eye(replace(SPEC, tta_scales=(3.0,), min_size=30)).segment(image)) == 3


@pytest.mark.parametrize("width", [400, 200])
def test_a_speck_is_not_enlarged_without_end(width: int) -> None:
    image = np.zeros((400, width, 3), np.uint8)
    image[200:212, 100:112] = (250, 0, 0)
    eye = Eye(replace(SPEC, min_size=0))
    found = eye.segment(image)
    assert max(found.embedding.shape[1:]) == 4 * 40 and len(found) >= 1
    assert eye.seen[1].shape[2:] == (40, 40)


def test_specks_that_the_first_look_finds_are_measured_on_its_grid() -> None:
    """One pixel of a stride of 4 is less than 17 pixels of the picture, two of them are not."""
    semantic = torch.full((1, 10, 10), -9.0)
    semantic[0, 1, 1] = semantic[0, 6:8, 6] = 9.0
    image = np.tile(np.arange(40, dtype=np.uint8)[:, None, None], (1, 40, 3))
    seen: list[np.ndarray] = []

    def look(part: np.ndarray) -> dict[str, torch.Tensor]:
        seen.append(part)
        return {"semantic": torch.zeros(1, *(math.ceil(side / 4) for side in part.shape[:2]))}

    spec = replace(SPEC, output_stride=4, min_size=17)
    zoomed_outputs(image, spec, lambda _: {"semantic": semantic}, look)
    assert seen[0].min() > 12, "the speck in the rows 4 to 7 is left out, the piece below is not"


def test_the_second_look_takes_in_a_given_foreground() -> None:
    image, labels = picture()
    image[20:50, 20:60] = (0, 30, 0)  # dark: the first look sees nothing there
    labels[20:50, 20:60] = 4
    eye = Eye(replace(SPEC, zoom=1.2))
    alone = eye.segment(image).embedding
    given = eye.segment(image, foreground=labels > 0)
    seen = given.embedding.any(0)
    scale = seen.shape[0] / 120
    assert seen[int(22 * scale) : int(48 * scale), int(22 * scale) : int(58 * scale)].all()
    assert set(np.unique(given.labels[labels == 4])) != {0} and alone.shape != given.embedding.shape
    near = eye.segment(image, foreground=(labels > 0) & (labels < 4))
    assert near.embedding.shape == alone.shape, "what lies in the part changes nothing"


def test_a_part_holds_a_mask_to_the_pixel_on_every_side() -> None:
    part, canvas = (slice(10, 20), slice(20, 40)), (40, 80)  # twice the picture's 20 x 40
    mask = np.zeros((20, 40), bool)
    assert holds(part, canvas, mask)
    mask[5:10, 10:20] = True
    assert holds(part, canvas, mask)
    for outside in ((4, 12), (10, 12), (7, 9), (7, 20)):
        more = mask.copy()
        more[outside] = True
        assert not holds(part, canvas, more)


def test_nothing_in_the_picture_is_no_error() -> None:
    eye = Eye(SPEC)
    assert not len(eye.segment(np.zeros((60, 80, 3), np.uint8)))
    assert [tuple(b.shape[2:]) for b in eye.seen] == [(30, 40), (30, 40)]


def test_around_the_part_is_background() -> None:
    part = {
        "embedding": torch.ones(2, 4, 4), "seed": torch.ones(1, 4, 4),
        "semantic": torch.ones(3, 4, 4), "centre": torch.ones(1, 4, 4),
    }  # fmt: skip
    found = on_canvas(part, (slice(4, 12), slice(24, 32)), (15, 40), stride=2)
    assert found["embedding"].shape == (2, 8, 20)
    assert found["embedding"].sum() == 2 * 16 and found["embedding"][:, 2:6, 12:16].all()
    assert found["semantic"][:, 0, 0].tolist() == [-NEVER, NEVER, NEVER]
    for key in ("seed", "centre"):
        assert found[key][0, 0, 0] == NEVER and found[key][0, 5, 15] == 1


@pytest.mark.parametrize("stride", [1, 4])
def test_the_part_lies_on_the_canvas_to_the_pixel(stride: int) -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        size = tuple(rng.integers(30, 200, 2).tolist())
        mask = np.zeros((size[0] // 2, size[1] // 3), bool)
        y, x = (int(rng.integers(0, n)) for n in mask.shape)
        mask[y : y + int(rng.integers(1, 40)), x : x + int(rng.integers(1, 40))] = True
        spec = replace(SPEC, output_stride=stride, zoom=float(rng.uniform(1, 3)))
        canvas, part = place(mask, spec, size)
        assert 40 - 2 * stride <= max(s.stop - s.start for s in part) <= 40
        assert all(s.start >= 0 and s.stop <= n for s, n in zip(part, canvas, strict=True))
        assert all(s.start % stride == 0 for s in part)
        pitch = [n / c for n, c in zip(size, canvas, strict=True)]
        middle = [(places.min() + places.max() + 1) / 2 for places in np.nonzero(mask)]
        for s, m, p, grain in zip(part, middle, pitch, (2, 3), strict=True):
            assert (s.start - 1) * p <= m * grain <= (s.stop + 1) * p


def test_training_sees_what_the_second_look_sees(scenes: Path) -> None:
    config = DataConfig(train=f"folder:{scenes}", working_size=48, zoom=1.0)
    for sample in open_sources(config)[0]:
        rows, columns = np.nonzero(sample.labels)
        assert max(np.ptp(rows), np.ptp(columns)) >= 45, "the objects fill the picture"
    whole = open_sources(replace(config, zoom=0.0))[0][0]
    assert np.ptp(np.nonzero(whole.labels)[0]) < 44


@pytest.mark.slow
def test_a_trained_run_looks_twice(scenes: Path, tmp_path: Path) -> None:
    options = ["--data.zoom=1.2", "--epochs=1", "--steps-per-epoch=110", "--batch=2"]
    small = ["--data.working_size=32", "--augment.size=32"]
    model = load(train_discs(scenes, tmp_path / "run", *options, *small), device="cpu", amp="off")
    assert model.spec.zoom == 1.2
    assert "two, the second at 1.2 times" in describe_model(tmp_path / "run")
    image, truth = np.zeros((120, 160, 3), np.uint8), np.zeros((120, 160), np.int32)
    image[30:94, 60:124], truth[30:94, 60:124] = discs(31)
    found = score_image("", model.segment(image).labels, truth)
    assert Scores((found,)).summary["SBD"] > 0.7


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"zoom": 0.5}, "must be 0 or >= 1"),
        ({"working_size": 0}, "needs a working_size"),
        ({"method": "spatial", "seed_head": True}, "whose embedding is no place"),
    ],
)
def test_contradictions_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(SPEC, **values)
