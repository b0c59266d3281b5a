"""Fixtures shared by all tests: where real data lies, and few threads."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image

from embedseg.io import atomic_path
from embedseg.viz.curves import read_metrics
from tests.scenes import train_discs, write_folder

ROOT = Path(__file__).resolve().parents[1]


def pytest_configure() -> None:
    torch.set_num_threads(1)  # tests run in parallel processes


@pytest.fixture(scope="session", autouse=True)
def quick_curves() -> Iterator[None]:
    """Runs of this process get a blank results.png: drawing takes longer than a tiny epoch."""

    def blank(csv_path: Path, png_path: Path) -> None:
        read_metrics(csv_path)
        with atomic_path(png_path) as temporary:
            Image.new("RGB", (8, 8)).save(temporary, "PNG")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("embedseg.training.run_folder.plot_metrics", blank)
        yield


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder of real data; tests that need it skip where it is absent."""
    root = Path(os.environ.get("EMBEDSEG_DATA", ROOT.parent / "shared" / "data"))
    if not root.is_dir():
        pytest.skip(f"no real data at {root}; set EMBEDSEG_DATA")
    return root


@pytest.fixture(scope="session")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of eight labelled pictures of discs."""
    return write_folder(tmp_path_factory.mktemp("scenes"))


@pytest.fixture(scope="session")
def tiny_run(scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a small network that has learned the discs fairly well."""
    return train_discs(scenes, tmp_path_factory.mktemp("runs") / "discs")
