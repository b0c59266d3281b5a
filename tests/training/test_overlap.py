"""No picture is both trained on and validated on, however the two data sets are named."""

from pathlib import Path

import pytest

from embedseg.io import InputError
from embedseg.training.config import DataConfig
from embedseg.training.sources import open_sources
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
