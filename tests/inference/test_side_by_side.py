"""Several jobs at a time: in order, each with its share of threads, which come back at the end."""

from pathlib import Path
from threading import Barrier

import numpy as np
import pytest
import torch

import embedseg
from embedseg._cv2 import cv2
from embedseg.inference.spec import ModelSpec
from embedseg.io import read_labels, write_image
from embedseg.model import Model, build_from_spec
from embedseg.predict import Task, predict_files
from embedseg.side_by_side import MOST, kept_threads, side_by_side
from tests.scenes import discs

CPU = torch.device("cpu")
PATHS = [Path(str(i)) for i in range(7)]


@pytest.fixture
def two_threads():
    with kept_threads():
        torch.set_num_threads(2)
        yield


def test_full_rows_share_the_threads_and_the_rest_has_all(two_threads) -> None:
    together = Barrier(2, timeout=20)  # two jobs wait for each other: they must run at a time

    def job(path: Path) -> tuple[str, int]:
        if path != PATHS[-1]:
            together.wait()
        return path.name, torch.get_num_threads()

    found = [work.result() for _, work in side_by_side(job, PATHS, CPU, 64)]
    assert found == [(path.name, 1) for path in PATHS[:-1]] + [("6", 2)]
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize(("size", "share"), [(512, 8 // MOST), (2048, 4), (0, 4), ((256, 4000), 4)])
def test_large_pictures_are_fewer_at_a_time(size: int | tuple[int, int], share: int) -> None:
    with kept_threads():
        torch.set_num_threads(8)
        jobs = side_by_side(lambda _: torch.get_num_threads(), PATHS[:4], CPU, size)
        assert [work.result() for _, work in jobs] == [share] * 4


def test_threads_come_back_after_a_failure(two_threads) -> None:
    before = cv2.getNumThreads()

    def job(path: Path) -> None:
        raise ValueError(path.name)

    with pytest.raises(ValueError, match="0"):
        for _, work in side_by_side(job, PATHS, CPU, 64):
            work.result()
    assert torch.get_num_threads() == 2 and cv2.getNumThreads() == before


def test_pictures_beside_each_other_come_out_as_alone(
    tmp_path: Path, tiny_run: Path, two_threads
) -> None:
    model = embedseg.load(tiny_run, device="cpu", amp="off")
    files = [tmp_path / f"{i}.png" for i in range(5)]
    for seed, file in enumerate(files):
        write_image(file, discs(100 + seed)[0])
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    outcome = predict_files(model, [*files[:2], broken, *files[2:]], tmp_path / "out")
    assert list(outcome.failures) == [broken] and sum(outcome.instances.values()) > 5
    for file in files:
        found = read_labels(tmp_path / "out" / f"{file.stem}_labels.tif")
        alone = model.segment(file)
        assert outcome.instances[file.stem] == len(alone)
        np.testing.assert_array_equal(found, alone.labels)


def test_each_thread_has_a_clusterer_of_its_own(two_threads) -> None:
    spec = ModelSpec(backbone="enet", embedding_dim=4)
    model = Model(build_from_spec(spec), spec)
    task = Task(model, None, Path(), (), {}, None)
    own = task.own_clusterer()
    assert own is not task.own_clusterer()
    assert own.bandwidth == spec.default_bandwidth and own.n_threads == 2
