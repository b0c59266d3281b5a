"""No picture is both trained on and validated on, however the two data sets are named."""

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from embedseg.data import Dataset, open_dataset
from embedseg.io import InputError, write_labels
from embedseg.training.config import DataConfig
from embedseg.training.sources import open_sources, split_names
from tests.scenes import write_folder


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("overlap")
    for name in ("x", "y"):
        write_folder(root / name, count=4, size=32)
    (root / "x" / "train.txt").write_text("scene0\nscene1\n")
    (root / "x" / "val.txt").write_text("scene2\nscene3\n")
    (root / "z").symlink_to(root / "x")
    for sub in ("images", "labels"):
        for file in (root / "y" / sub).iterdir():
            file.rename(file.with_stem(file.stem.replace("scene", "other")))
    write_folder(root / "w", count=4, size=32)
    (root / "plants" / "A1").mkdir(parents=True)
    for name in ("scene0", "scene1"):
        for part, end in (("images", "rgb"), ("labels", "label")):
            file = root / "w" / part / f"{name}.png"
            shutil.copy(file, root / "plants" / "A1" / f"{name}_{end}.png")
    return root


@pytest.mark.parametrize(
    ("train", "val", "shared"),
    [
        ("folder:x", "folder:x", 4),
        ("folder:x", "folder:x/", 4),
        ("folder:x", "folder:z#val", 2),
        ("folder:x#train", "folder:x", 2),
        ("folder:y + 3*folder:x", "folder:x#val", 2),
        ("folder:x#train", "folder:x#train + folder:x#val", 2),
        ("folder:x", "leaves:1,size=32 + folder:x", 4),
        ("leaves:4,3,size=32", "leaves:2,3,size=32", 2),
        ("leaves:4,size=32", "leaves:2,0,size=32", 2),
        ("leaves:4,3,size=32", "leaves:2,seed=3,size=32,leaves=6-20", 2),
        ("cvppp:plants", "cvppp:plants/A1", 2),
    ],
)
def test_shared_images_are_refused(
    root: Path, monkeypatch, train: str, val: str, shared: int
) -> None:
    monkeypatch.chdir(root)
    with pytest.raises(InputError, match=rf"{shared} images are trained on as well \("):
        open_sources(DataConfig(train=train, val=val))


@pytest.mark.parametrize(
    ("train", "val"),
    [
        ("folder:x#train", "folder:x#val"),
        ("folder:x", "folder:w"),  # equal names, other pictures
        ("folder:y + folder:x#train", "2*folder:x#val"),
        ("folder:x#train + folder:y", "folder:w + leaves:1,size=32"),
        ("leaves:2,3,size=32", "leaves:2,4,size=32"),
        ("leaves:2,3,size=32", "leaves:2,3,size=48"),
        ("roads:2,size=32x32", "roads:2,seed=1,size=32x32"),
    ],
)
def test_other_images_are_taken(root: Path, monkeypatch, train: str, val: str) -> None:
    monkeypatch.chdir(root)
    assert all(open_sources(DataConfig(train=train, val=val, working_size=32)))


def test_lists_can_part_one_folder(root: Path, monkeypatch) -> None:
    monkeypatch.chdir(root)
    lists = {"train_list": "x/train.txt", "val_list": "x/val.txt"}
    training, validation = open_sources(DataConfig(train="folder:x", val="folder:x", **lists))
    assert (len(training), len(validation)) == (2, 2)
    lists["val_list"] = "x/train.txt"
    with pytest.raises(InputError, match="2 images are trained on"):
        open_sources(DataConfig(train="folder:x", val="folder:x", **lists))


@pytest.mark.parametrize("val", ["", "folder:x"])
def test_a_name_twice_in_a_list_is_validated_once(root: Path, monkeypatch, val: str) -> None:
    monkeypatch.chdir(root)
    names = (root / "x" / "val.txt").read_text().split()
    Path("twice.txt").write_text("\n".join([*names, names[0]]))
    lists = {"train_list": "x/train.txt", "val_list": "twice.txt"}
    _, validation = open_sources(DataConfig(train="folder:x", val=val, **lists))
    assert validation.names == names


def test_what_is_held_out_does_not_hang_on_how_often_it_is_trained_on(
    root: Path, monkeypatch, caplog
) -> None:
    """A fifth of the images is held out, of a part that comes 20 times as of any other."""
    monkeypatch.chdir(root)
    once, held = open_sources(DataConfig(train="leaves:20,1,size=32"))
    often, same = open_sources(DataConfig(train="5*leaves:20,1,size=32"))
    assert same.names == held.names and len(held) == 4
    assert Counter(often.names) == dict.fromkeys(once.names, 5)
    data = "leaves:16,1,size=32 + 20*leaves:4,2,size=32"
    training, validation = open_sources(DataConfig(train=data))
    assert len(validation) == 4 and len({*training.names, *validation.names}) == 20
    assert sum(name.startswith("leaves2") for name in {*training.names}) >= 2


def test_groups_are_held_out_whole_however_often_they_are_trained_on(root: Path) -> None:
    everything = open_dataset(f"3*folder:{root / 'x'}")
    groups = [["scene0", "scene1"], ["scene2"], ["scene3"]]
    grouped = Dataset(everything.names, everything.load, {}, groups)
    chosen, held = split_names(grouped, DataConfig(val_fraction=0.4))
    assert 2 <= len(held) <= 3 and ("scene0" in held) == ("scene1" in held)
    assert Counter(chosen) == dict.fromkeys({*grouped.names} - {*held}, 3)


def test_a_list_keeps_how_often_a_part_is_trained_on(root: Path, monkeypatch) -> None:
    monkeypatch.chdir(root)
    Path("some.txt").write_text("leaves1-00000\nscene0\nscene0\n")
    config = DataConfig(train="leaves:2,1,size=32 + 3*folder:x", train_list="some.txt")
    training, _ = open_sources(config)
    assert Counter(training.names) == {"leaves1-00000": 1, "scene0": 6}
    training, _ = open_sources(
        DataConfig(train=config.train, train_list="some.txt", val="leaves:1,9,size=64")
    )
    assert Counter(training.names) == {"leaves1-00000": 1, "scene0": 6}


def test_validation_without_an_instance_is_refused(root: Path, tmp_path: Path) -> None:
    nothing = write_folder(tmp_path / "nothing", count=2, size=32)
    for file in (nothing / "labels").iterdir():
        write_labels(file, np.zeros((32, 32), int))
    with pytest.raises(InputError, match="no validation image has an instance"):
        open_sources(DataConfig(train=f"folder:{root / 'x'}", val=f"folder:{nothing}"))
