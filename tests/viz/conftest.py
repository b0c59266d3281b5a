"""Where the tests of pictures leave what somebody should look at: a folder that git ignores."""

import os
from pathlib import Path

import pytest

from .chromium import Browser, find

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def artifacts() -> Path:
    """The folder EMBEDSEG_ARTIFACTS, else artifacts/ in the project; nothing in it is deleted."""
    folder = Path(os.environ.get("EMBEDSEG_ARTIFACTS", ROOT / "artifacts"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def browser():
    """A headless Chromium with one page; tests that need it skip where there is none."""
    program = find()
    if program is None:
        pytest.skip("no Chromium here; install it (Debian: apt-get install chromium)")
    browser = Browser(program)
    yield browser
    browser.close()
