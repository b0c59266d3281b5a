"""Sparse labels: what is known of a picture, and a training from it."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch

from embedseg import load
from embedseg.data import Dataset, Sample
from embedseg.data.sparse import painted, sparse_dataset, thin
from embedseg.labels import IGNORE
from embedseg.metrics import Scores, score_image
from embedseg.training.distributed import World
from embedseg.training.job import build_objective, prepare
from embedseg.training.loop import teach
from embedseg.training.options import read_config
from tests.scenes import discs, train_discs
from tests.training.test_runs import arguments

SPARSE = ["--labels=sparse", "--data.keep=0.5"]


def test_half_the_instances_and_some_background_stay_known() -> None:
    labels = discs(3)[1]
    known = thin(labels, 0.5, np.random.default_rng(0))
    assert set(np.unique(known)) - {0, IGNORE} < {1, 2, 3, 4} and len(np.unique(known)) == 4
    assert (known == labels)[known != IGNORE].all()
    share = np.count_nonzero(known == 0) / np.count_nonzero(labels == 0)
    assert 0.5 <= share < 0.65
    one = thin(labels, 0.01, np.random.default_rng(0))
    assert len(np.unique(one[one > 0])) == 1
    np.testing.assert_array_equal(thin(labels, 1.0, np.random.default_rng(0)), labels)


def test_a_painted_label_is_background_and_zero_is_unknown() -> None:
    labels = np.array([[0, 7, 7, 2]], np.int32)
    np.testing.assert_array_equal(painted(labels, 7), [[IGNORE, 0, 0, 2]])
    np.testing.assert_array_equal(painted(labels, 0), labels)


def test_what_is_kept_follows_from_name_and_seed() -> None:
    image, labels = discs(3)
    names = ["a", "b"]
    dense = Dataset(names, lambda name: Sample(image, labels, (labels > 0).astype(np.uint8), name))
    first, again = (sparse_dataset(dense, keep=0.5, seed=1) for _ in range(2))
    np.testing.assert_array_equal(first[1].labels, again[1].labels)
    assert (first[0].labels != first[1].labels).any()
    assert (sparse_dataset(dense, keep=0.5, seed=2)[0].labels != first[0].labels).any()
    np.testing.assert_array_equal(first[0].semantic == 255, first[0].labels == IGNORE)
    with pytest.raises(ValueError, match="in \\(0, 1\\], got 0"):
        sparse_dataset(dense, keep=0)


def test_learns_discs_of_which_half_are_labelled(scenes: Path, tmp_path: Path) -> None:
    options = ["--epochs=1", "--steps-per-epoch=110", "--batch=2", "--data.working_size=32"]
    run = train_discs(scenes, tmp_path / "run", *SPARSE, *options, "--augment.size=32")
    model = load(run, device="cpu", amp="off")
    pictures = {str(seed): discs(seed) for seed in range(30, 36)}
    found = [score_image(n, model.segment(i).labels, t) for n, (i, t) in pictures.items()]
    assert Scores(tuple(found)).summary["SBD"] > 0.6, "unlabelled objects are found too"
    with (run / "metrics.csv").open() as file:
        row = next(csv.DictReader(file))
    assert all(float(row[name]) > 0 for name in ("unlabelled_push", "object", "agree"))


def test_the_teacher_is_the_average_and_stays_as_it_is(scenes: Path) -> None:
    config = read_config(arguments(scenes, Path("unused"), *SPARSE))
    job = prepare(config, World(), torch.device("cpu"))
    before = {k: v.clone() for k, v in job.average.state.items()}
    clean = torch.from_numpy(discs(1, 32)[0].transpose(2, 0, 1).copy())[None]
    one = teach(job, clean)["taught"]
    with torch.no_grad():
        for parameter in job.network.parameters():
            parameter.add_(1)
    assert torch.equal(teach(job, clean)["taught"], one), "the student is not the teacher"
    assert all(torch.equal(before[k], v) for k, v in job.average.state.items())
    assert job.network.training


def test_the_margin_of_unlabelled_pixels_is_half_of_that_between_means(scenes: Path) -> None:
    rng = torch.Generator().manual_seed(0)
    outputs = {"embedding": torch.randn(1, 16, 8, 8, generator=rng)}
    outputs["semantic"] = torch.zeros(1, 1, 8, 8)
    labels = torch.arange(64).view(1, 8, 8) // 16 - 1
    batch = {"labels": labels, "semantic": labels.clamp(max=1), "taught": outputs["embedding"]}
    found = []
    for margin in (["--loss.delta_d=3"], ["--loss.delta_d=6", "--loss.options={hinge: lanenet}"]):
        config = read_config(arguments(scenes, Path("unused"), *SPARSE, *margin))
        found.append(build_objective(config)(outputs, batch)[1])
    assert found[0] == found[1] and len(found[0]) > 6, "the same margins, named otherwise"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([*SPARSE, "--method=spatial"], "method 'discriminative', not spatial"),
        ([*SPARSE, "--optimizer.ema=0"], "need a teacher"),
        ([*SPARSE, "--data.zoom=1.2"], "do not tell how far"),
        ([*SPARSE, "--data.background_label=7"], "wholly labelled images by --val"),
        (["--data.keep=0.5"], "go with --labels sparse"),
    ],
)
def test_contradictions_are_refused(options: list[str], message: str, scenes: Path) -> None:
    config = read_config(arguments(scenes, Path("unused"), *options))
    with pytest.raises(ValueError, match=message):
        prepare(config, World(), torch.device("cpu"))
