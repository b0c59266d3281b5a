"""Fixtures shared by all tests: where real data lies, and few threads."""

import os
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[1]


def pytest_configure() -> None:
    torch.set_num_threads(1)  # tests run in parallel processes


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder of real data; tests that need it skip where it is absent."""
    root = Path(os.environ.get("EMBEDSEG_DATA", ROOT.parent / "shared" / "data"))
    if not root.is_dir():
        pytest.skip(f"no real data at {root}; set EMBEDSEG_DATA")
    return root
