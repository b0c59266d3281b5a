"""The method "spatial": places and bandwidths, trained, stored, segmented, tuned, drawn."""

import csv
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from embedseg import load
from embedseg.cli import main
from embedseg.inference.segment import instances
from embedseg.inference.spec import ModelSpec
from embedseg.io import write_image
from embedseg.metrics import Scores, score_image
from embedseg.model import Model, save_weights
from embedseg.models import build_network
from embedseg.models.spatial import SIDE, spatial_maps
from embedseg.training.distributed import World
from embedseg.training.job import prepare, spec_of
from embedseg.training.loop import train
from embedseg.training.options import read_config
from embedseg.tuning.space import axes_of, changes, cluster_key, moved, start_of
from tests.scenes import discs, train_discs

DISCS = [
    "--method=spatial", "--epochs=1", "--steps-per-epoch=110", "--batch=2",
    "--data.working_size=32", "--augment.size=32",
]  # fmt: skip
LEAVES = "leaves:4,1,size=48,leaves=3-4,reach=58-70"


@pytest.fixture(scope="module")
def run(scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_discs(scenes, tmp_path_factory.mktemp("runs") / "places", *DISCS)


def test_learns_discs_from_the_run_folder(run: Path) -> None:
    model = load(run, device="cpu", amp="off")
    assert model.spec.method == "spatial" and model.spec.embedding_dim == 2
    image, truth = discs(31)
    found = score_image("", model.segment(image).labels, truth)
    assert Scores((found,)).summary["SBD"] > 0.85
    with (run / "metrics.csv").open() as file:
        assert {"overlap", "smoothness", "seed", "val_sbd"} <= set(csv.DictReader(file).fieldnames)


def test_trains_on_generated_leaves(tmp_path: Path) -> None:
    options = ["--epochs=1", "--steps-per-epoch=4", "--batch=2", "--amp=off", "--device=cpu"]
    options += ["--network.options={width: 4, depth: 2}", "--augment.size=48", "--threads=1"]
    run = train(read_config([*DISCS[:1], *options, "--data", LEAVES, "--run", str(tmp_path / "r")]))
    model = load(run, device="cpu", amp="off")
    assert model.segment(discs(1)[0]).embedding.shape[0] == 2
    assert model.spec.seed_threshold == 0.9


def test_every_command_takes_the_run(run: Path, scenes: Path, tmp_path: Path, capsys) -> None:
    write_image(tmp_path / "plant.png", discs(32)[0])
    plant, device = str(tmp_path / "plant.png"), ["--device=cpu", "--amp=off"]
    assert main(["predict", str(run), plant, "--out", str(tmp_path / "out"), *device]) == 0
    data = ["--data", f"folder:{scenes}"]
    assert main(["evaluate", str(run), *data, *device]) == 0
    unseen = ["--data", f"folder:{shutil.copytree(scenes, tmp_path / 'unseen')}"]
    assert main(["tune", str(run), *unseen, "--quick", *device]) == 0
    assert main(["visualize", str(run), plant, "--out", str(tmp_path / "look"), *device]) == 0
    assert (tmp_path / "look" / "plant.html").is_file()
    assert main(["info", str(run)]) == 0
    assert "spatial" in capsys.readouterr().out
    words = ["predict", str(run), plant, "--out", str(tmp_path / "views"), "--tta=flips", *device]
    assert main(words) == 0 and (tmp_path / "views" / "plant_labels.tif").is_file()


def test_places_are_positions_and_offsets() -> None:
    raw = torch.zeros(1, 2, 3, 4)
    raw[0, :, 1, 2] = torch.tensor([1.0, -2.0])
    places, precision = spatial_maps(raw, torch.full((1, 2, 3, 4), 0.5), (6, 8), stride=2)
    unit = SIDE / 8
    assert places[0, :, 2, 3].tolist() == pytest.approx([6 * unit, 4 * unit])
    moved = [4 * unit + SIDE * np.tanh(0.1), 2 * unit - SIDE * np.tanh(0.2)]
    assert places[0, :, 1, 2].tolist() == pytest.approx(moved)
    assert float(precision.min()) == float(precision.max()) == -0.5


def test_a_larger_picture_is_counted_in_the_same_pixels() -> None:
    """A pixel points as far in a picture of twice the size, if its surroundings are the same."""
    torch.manual_seed(0)
    options = {"width": 4, "depth": 2}
    built = {"embedding_dim": 2, "coordinates": False, "seed_head": True, "spatial": True}
    network = build_network("unet", options=options, place_unit=3.2, **built).eval()
    large = torch.rand(1, 3, 128, 192)
    with torch.no_grad():
        whole, part = network(large), network(large[..., :64, :64])
        inside = (..., slice(0, 24), slice(0, 24))  # sees nothing of what lies beyond the part
        torch.testing.assert_close(whole["embedding"][inside], part["embedding"][inside])
        network.place_unit = 0.0  # a share of the longer side: 3.2 pixels in the part, 9.6 in all
        assert torch.equal(network(large[..., :64, :64])["embedding"], part["embedding"])
        gap = network(large)["embedding"][inside] - part["embedding"][inside]
        assert float(gap.abs().max()) > 1


def test_the_unit_is_that_of_the_training(tmp_path: Path) -> None:
    words = [*DISCS, "--data", LEAVES, "--device=cpu"]
    for size, unit in (("48", 48 / SIDE), ("[32, 64]", 64 / SIDE)):
        job = prepare(read_config([*words, f"--augment.size={size}"]), World(), torch.device("cpu"))
        assert job.spec.place_unit == job.network.place_unit == unit
    save_weights(tmp_path / "m.safetensors", job.network.state_dict(), job.spec)
    assert Model.load(tmp_path / "m.safetensors", device="cpu").network.place_unit == unit


def test_instances_have_their_own_bandwidths() -> None:
    """A wide and a narrow object, nearer to each other than the wide one's width."""
    spec = ModelSpec(backbone="unet", method="spatial", seed_head=True, clusterer="spatial",
                     embedding_dim=2, min_size=1)  # fmt: skip
    embedding = torch.zeros(2, 1, 9)
    embedding[0, 0] = torch.tensor([0.0, 1, 2, 3, 4, 4.9, 5, 5.1, 9])
    sigma = torch.tensor([1.5] * 5 + [0.1] * 4).expand(2, 1, 9)
    seed = torch.tensor([1.0, 2, 3, 2, 1, 1, 4, 1, -9]).reshape(1, 1, 9)
    semantic = np.stack([np.zeros((1, 9), np.float32), np.ones((1, 9), np.float32)])
    semantic[:, 0, 8] = 1, 0
    maps = {"seed": seed, "log_precision": -torch.log(2 * sigma**2)}
    found = instances(embedding, semantic, (1, 9), spec, **maps).labels[0]
    assert found[8] == 0 and len(set(found[:5])) == len(set(found[5:8])) == 1
    assert found[0] != found[5]
    same = instances(embedding, semantic, (1, 9), spec, seed=seed).labels[0]
    assert len(set(same[:8])) != 2, "without the bandwidths the two are not found"


def test_a_split_off_piece_below_the_smallest_size_joins_its_object() -> None:
    """Nine pixels point to one place, three of them, with the highest seed, a little aside."""
    maps = {"seed": torch.tensor([1.0] * 9 + [2.0] * 3).reshape(1, 1, 12),
            "log_precision": torch.full((2, 1, 12), 3.0)}  # fmt: skip
    embedding = torch.zeros(2, 1, 12)
    embedding[0, 0, 9:] = 0.5
    semantic = np.stack([np.zeros((1, 12), np.float32), np.ones((1, 12), np.float32)])
    for least, kinds in ((3, 2), (4, 1)):
        spec = ModelSpec(backbone="unet", method="spatial", seed_head=True, clusterer="spatial",
                         embedding_dim=2, min_size=least)  # fmt: skip
        found = instances(embedding, semantic, (1, 12), spec, **maps).labels
        assert len(set(found.ravel())) == kinds and found.min() > 0
    coarse = replace(spec, min_size=17, output_stride=4, tta_scales=(0.5,))
    assert coarse.build_clusterer().min_points == coarse.least_size == 1
    assert replace(coarse, tta_scales=(1.0,)).build_clusterer().min_points == 2


def test_training_passes_options_on_to_the_clusterer() -> None:
    words = ["--config=nuclei", "--data", LEAVES, "--clusterer_options={max_overlap: 0.2}"]
    assert spec_of(read_config(words)).build_clusterer().max_overlap == 0.2
    ours = spec_of(read_config(words[:3])).build_clusterer()
    assert (ours.max_overlap, ours.seed_threshold, ours.min_points) == (0.3, 0.85, 20)
    means = ["--data", LEAVES, "--clusterer_options={kernel: gaussian}", "--bandwidth=0.7"]
    found = spec_of(read_config(means)).build_clusterer()
    assert (found.kernel, found.bandwidth) == ("gaussian", 0.7)


def test_tuning_tries_the_overlap_of_clusters() -> None:
    spec = spec_of(read_config(["--config=nuclei", "--data", LEAVES]))
    axes = axes_of(spec)
    place = [axis.name for axis in axes].index("max_overlap")
    setting = moved(start_of(axes), place, 0.5)
    assert axes[place].default == 0.3 and changes(axes, start_of(axes), spec) == {}
    tuned = spec.with_tuning(changes(axes, setting, spec))
    assert tuned.build_clusterer().max_overlap == 0.5
    size = [axis.name for axis in axes].index("min_size")
    keys = {cluster_key(axes, s) for s in (start_of(axes), setting, moved(setting, size, 40))}
    assert len(keys) == 3, "clusters hang on both"
    assert "max_overlap" not in [axis.name for axis in axes_of(ModelSpec(backbone="unet"))]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--network.seed_head=false"], "needs its seed map"),
        (["--loss.alpha=2"], "loss.alpha belongs to the method 'discriminative'"),
        (["--bandwidth=1"], "learns its bandwidths"),
        (["--clusterer_options={max_overlp: 0.3}"], "did you mean 'max_overlap'"),
        (["--clusterer_options={max_overlap: much}"], "max_overlap must be a number"),
        (["--clusterer_options={seed_threshold: 0.5}"], "set --seed_threshold"),
    ],
)
def test_contradictions_are_refused(options: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        train(read_config([*DISCS, *options, "--data", LEAVES, "--run", str(tmp_path / "no")]))


def test_an_embedding_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="embedding_dim=3"):
        build_network("unet", embedding_dim=3, seed_head=True, spatial=True)
