"""What a run's folder tells of its data, seen from anywhere."""

import json
import os
import shutil
from pathlib import Path

import pytest
import yaml

from embedseg.data.of_run import begun_in, stored_data, trained_on
from embedseg.data.overlap import is_gone, located
from tests.scenes import write_folder

NAMES = ["scene0", "scene1", "scene2"]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run that was started in `home` with data named from there; the test runs elsewhere."""
    home, folder = tmp_path / "home", tmp_path / "run"
    write_folder(home / "data", count=3)
    (home / "val.txt").write_text("scene2")
    folder.mkdir()
    data = {"train": "folder:data + 2*leaves:3", "val": "", "val_list": "val.txt"}
    (folder / "config.yaml").write_text(yaml.safe_dump({"data": data}))
    (folder / "env.json").write_text(json.dumps({"folder": str(home)}))
    (folder / "train.txt").write_text("scene0\nscene1\n")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    return folder


def test_places_are_named_from_the_folder_in_which_the_run_was_started(run: Path) -> None:
    home = run.parent / "home"
    assert begun_in(run) == home
    assert stored_data(run) == {
        "train": f"folder:{home}/data + 2*leaves:3", "val": "", "val_list": f"{home}/val.txt",
    }  # fmt: skip
    (home / "val.txt").unlink()
    assert stored_data(run)["val_list"] == "val.txt", "as it was given"
    (run / "env.json").write_text("{}")
    assert begun_in(run) == Path()
    assert stored_data(run)["val_list"] == "val.txt"


@pytest.mark.parametrize(
    ("spec", "seen"),
    [
        ("folder:data#val", "folder:{0}/data#val"),
        ("2*folder:data,mask=1 + leaves:8,1", "2*folder:{0}/data,mask=1 + leaves:8,1"),
        ("folder:{0}/data", "folder:{0}/data"),
        ("folder:nowhere", "folder:nowhere"),
    ],
)
def test_located(run: Path, spec: str, seen: str) -> None:
    home = run.parent / "home"
    assert located(spec.format(home), home) == seen.format(home)


def test_gone(run: Path) -> None:
    data = run.parent / "home" / "data"
    assert not is_gone(f"folder:{data}#val + leaves:8,1 + roads:3,lines=x.json")
    assert is_gone(f"folder:{data} + 3*folder:nowhere")


def test_training_images_are_known_from_anywhere(run: Path) -> None:
    data = run.parent / "home" / "data"
    there = os.path.relpath(data)
    assert trained_on(run, f"folder:{there}", NAMES) == {"scene0", "scene1"}
    shutil.copytree(data, "data")  # equal names, other pictures
    assert trained_on(run, "folder:data", NAMES) == set()


def test_names_of_training_images_that_are_gone_are_warned_of(
    run: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = run.parent / "home" / "data"
    moved = data.rename(run.parent / "moved")
    assert trained_on(run, f"folder:{moved}", NAMES) == set()
    assert "2 of these images have names of its training images (scene0, ...)" in caplog.text
    caplog.clear()
    assert trained_on(run, f"folder:{moved}", ["other"]) == set() and not caplog.text
