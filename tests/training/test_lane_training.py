"""The way of lanes through training: polylines to the last, one size, LaneNet's margins."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from embedseg.cli import main
from embedseg.data import AugmentConfig, Dataset, open_dataset
from embedseg.data.lane_sample import LaneSample, lane_sample
from embedseg.inference.joint import scaled
from embedseg.inference.segment import segment, working_shape
from embedseg.inference.spec import ModelSpec
from embedseg.lanes.polylines import lanes_of
from embedseg.model import Model
from embedseg.models import MODELS
from embedseg.training.config import DataConfig, TrainConfig
from embedseg.training.job import spec_of
from embedseg.training.options import read_config
from embedseg.training.sampling import AugmentedStream
from embedseg.training.sources import open_sources

STILL = AugmentConfig(
    scale=(4.0, 4.0), rotation=0, flip_horizontal=0, flip_vertical=0, random_crop=False
)


def upright_lane(width: float = 5.0) -> LaneSample:
    """One upright lane in the middle of a 60 x 100 picture."""
    lanes = lanes_of([[(50, 0), (50, 59)]])
    return lane_sample(np.zeros((60, 100, 3), np.uint8), lanes, width=width)


def test_a_stream_draws_lanes_anew() -> None:
    """Magnified four times, a stroke of 5 pixels is one of 5 pixels: pixels would make it 20."""
    data = Dataset(["a"], lambda _: upright_lane())
    stream = AugmentedStream(data, STILL, copy_paste_share=0.0, seed=0)
    labels = stream[0]["labels"].numpy()
    assert 4 <= (labels == 1).sum(axis=1).max() <= 6
    pixels = replace(STILL, size=None)
    plain = Dataset(["a"], lambda _: _plain(upright_lane()))
    moved = AugmentedStream(plain, pixels, copy_paste_share=0.0, seed=0)[0]["labels"].numpy()
    assert (moved == 1).sum(axis=1).max() == 20


def _plain(sample: LaneSample):  # type: ignore[no-untyped-def]
    from embedseg.data import Sample

    return Sample(sample.image, sample.labels, None, sample.name)


def test_training_images_are_resized_with_their_polylines() -> None:
    config = DataConfig(
        train="roads:2,size=128x64,width=4", val="roads:1,seed=3,size=128x64", working_size=(32, 64)
    )
    training, _ = open_sources(config)
    sample = training[0]
    assert isinstance(sample, LaneSample) and sample.image.shape == (32, 64, 3)
    assert sample.lanes.size == (32, 64) and sample.width == 4


def test_a_working_size_of_two_numbers_is_taken_as_it_is() -> None:
    assert working_shape((720, 1280), (256, 512)) == (256, 512)
    assert working_shape((720, 1280), 512) == (288, 512)
    spec = ModelSpec(backbone="enet", working_size=(256, 512))
    assert ModelSpec.from_json(spec.to_json()).working_size == (256, 512)
    assert scaled(spec, np.zeros((30, 50, 3), np.uint8), 1.5).working_size == (384, 768)
    seen = []

    def network(batch: torch.Tensor) -> dict[str, torch.Tensor]:
        seen.append(tuple(batch.shape))
        flat = torch.zeros(1, 1, *batch.shape[2:])
        return {"embedding": flat.expand(1, 4, -1, -1), "semantic": flat - 9}

    result = segment(np.zeros((30, 50, 3), np.uint8), network, replace(spec, working_size=(16, 64)))
    assert seen == [(1, 3, 16, 64)] and result.labels.shape == (30, 50)


@pytest.mark.parametrize("backbone", sorted(MODELS))
def test_the_preset_suits_every_backbone(backbone: str) -> None:
    config = read_config(["--config", "lanes", "--backbone", backbone])
    spec = spec_of(config)
    assert (spec.embedding_dim, spec.working_size) == (4, (256, 512))
    assert spec.delta_d == 1.5  # LaneNet's delta_d = 3 is the distance of the means
    assert config.loss.options == {"hinge": "lanenet"}


def test_margins_of_the_paper_are_stored_as_they_are() -> None:
    assert spec_of(TrainConfig()).delta_d == 1.5


def test_lanes_are_trained_from_the_shell(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    run = tmp_path / "run"
    small = ["--data.working_size", "[32,64]", "--augment.size", "[32,64]", "--min-size", "4"]
    words = ["--data", "roads:3,size=64x32", "--val", "roads:1,seed=1,size=64x32"]
    steps = ["--epochs", "1", "--steps-per-epoch", "1", "--batch", "2", "--amp", "off"]
    assert main(["train", "--config", "lanes", *words, *small, *steps, "--run", str(run)]) == 0
    model = Model.load(run, device="cpu", amp="off")
    assert model.spec.backbone == "lanenet" and model.spec.working_size == (32, 64)
    image = open_dataset("roads:1,size=100x40")[0].image
    assert model.segment(image).labels.shape == (40, 100)
    capsys.readouterr()
    assert main(["info", str(run)]) == 0
    assert "64 x 32 px" in capsys.readouterr().out
