"""The centre head: trained, stored, read by its clusterer, tuned; off by default."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from embedseg import load
from embedseg.cli import main
from embedseg.data import AugmentConfig, open_dataset
from embedseg.data.centres import centre_map
from embedseg.inference.spec import ModelSpec
from embedseg.metrics import Scores, score_image
from embedseg.training.job import spec_of
from embedseg.training.options import read_config
from embedseg.training.sampling import AugmentedStream
from embedseg.training.targets import Targets, targets_of
from embedseg.tuning.space import axes_of, changes, start_of
from tests.scenes import discs, train_discs

CENTRES = ["--network.centre_head=true", "--epochs=1", "--steps-per-epoch=110", "--batch=2",
           "--data.working_size=32", "--augment.size=32"]  # fmt: skip


@pytest.fixture(scope="module")
def run(scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_discs(scenes, tmp_path_factory.mktemp("runs") / "centres", *CENTRES)


def test_learns_centres_and_founds_clusters_at_them(run: Path) -> None:
    model = load(run, device="cpu", amp="off")
    assert model.spec.centre_head and model.spec.clusterer == "centres"
    image, truth = discs(31)
    found = score_image("", model.segment(image).labels, truth)
    assert Scores((found,)).summary["SBD"] > 0.85
    heat = torch.sigmoid(model.outputs(image, "")["centre"][0])
    wanted = torch.from_numpy(centre_map(np.ascontiguousarray(truth[::2, ::2])))
    near, rim = heat[wanted > 0.8], heat[(wanted < 0.3) & torch.from_numpy(truth[::2, ::2] > 0)]
    assert near.mean() > 0.15 and near.mean() > 1.5 * rim.mean()
    with (run / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert float(rows[-1]["centre"]) < 5


def test_every_command_takes_the_run(run: Path, scenes: Path, tmp_path: Path) -> None:
    device = ["--device=cpu", "--amp=off"]
    picture, data = str(scenes / "images" / "scene0.png"), ["--data", f"folder:{scenes}"]
    assert main(["predict", str(run), picture, "--out", str(tmp_path / "a"), *device]) == 0
    flips = ["--tta=flips", *device]
    assert main(["predict", str(run), picture, "--out", str(tmp_path / "b"), *flips]) == 0
    assert main(["evaluate", str(run), *data, *device]) == 0
    unseen = ["--data", f"folder:{shutil.copytree(scenes, tmp_path / 'unseen')}"]
    assert main(["tune", str(run), *unseen, "--quick", *device]) == 0
    assert main(["visualize", str(run), picture, "--out", str(tmp_path / "look"), *device]) == 0


def test_targets_have_the_stride_of_the_outputs() -> None:
    samples = open_dataset("leaves:2,size=64,leaves=3-4")
    config = AugmentConfig(size=64, rotation=0.0, scale=(1.0, 1.0))
    for stride in (1, 2):
        targets = Targets(maps={}, centres=True, stride=stride)
        stream = AugmentedStream(samples, config, copy_paste_share=0.0, seed=0, targets=targets)
        item = stream[0]
        assert item["centre"].shape == (64 // stride, 64 // stride)
        seen = item["labels"][::stride, ::stride]
        ids = seen[item["centre"] == 1].tolist()
        assert sorted(ids) == sorted(set(seen[seen > 0].tolist()))


def test_off_by_default_and_refused_beside_spatial() -> None:
    config = read_config(["--data=leaves:2"])
    assert not config.network.centre_head and not targets_of(config).centres
    assert spec_of(config).clusterer == "mean_shift"
    with pytest.raises(ValueError, match="has centres of its own"):
        ModelSpec(backbone="unet", method="spatial", seed_head=True, centre_head=True)


def test_tuning_may_change_the_height_of_peaks_and_leave_centres() -> None:
    spec = ModelSpec(backbone="unet", centre_head=True, clusterer="centres",
                     clusterer_options={"threshold": 0.3})  # fmt: skip
    axes = axes_of(spec)
    names = [axis.name for axis in axes]
    setting = list(start_of(axes))
    assert changes(axes, tuple(setting), spec) == {}
    assert setting[names.index("centre")] == 0.3
    setting[names.index("centre")] = 0.15
    chosen = changes(axes, tuple(setting), spec)
    assert chosen["clusterer_options"]["threshold"] == 0.15
    assert spec.with_tuning(chosen).build_clusterer().threshold == 0.15
    setting[names.index("clusterer")] = "mean_shift"
    chosen = changes(axes, tuple(setting), spec)
    assert chosen["clusterer"] == "mean_shift" and "threshold" not in chosen["clusterer_options"]
    plain = axes_of(ModelSpec(backbone="unet"))
    assert "centre" not in [axis.name for axis in plain]
    assert all("centres" not in axis.values for axis in plain)


def test_an_untrained_head_sees_few_centres() -> None:
    from embedseg.models import build_network

    torch.manual_seed(0)
    network = build_network("enet", embedding_dim=4, centre_head=True).eval()
    with torch.inference_mode():
        heat = torch.sigmoid(network(torch.randn(1, 3, 64, 64))["centre"])
    assert heat.shape == (1, 1, 64, 64) and float(np.median(heat.numpy())) < 0.2
