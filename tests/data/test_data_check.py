"""The check of a data set: each fault is named, and none keeps the others from being found."""

import numpy as np
import pytest
from PIL import Image

from embedseg.data import check_data, open_dataset
from embedseg.io import InputError

GOOD = np.array([[0, 1, 1, 0], [0, 1, 0, 2], [0, 0, 0, 2]], np.uint8)


@pytest.fixture
def root(tmp_path):
    for part in ("images", "labels"):
        (tmp_path / part).mkdir()
    add(tmp_path, "good", GOOD)
    return tmp_path


def add(root, name, labels, size=(3, 4)):
    if size is not None:
        Image.fromarray(np.zeros((*size, 3), np.uint8)).save(root / "images" / f"{name}.png")
    if labels is not None:
        np.save(root / "labels" / f"{name}.npy", labels)


def test_a_sound_folder(root):
    report = check_data(root)
    assert report.ok and not report.notes
    assert report.samples[0].size == (3, 4) and report.samples[0].areas == (3, 2)
    table = report.to_table()
    assert "1, of which 1 usable" in table and "4 x 3 (1)" in table and "2 to 3" in table


def test_every_fault_is_named_and_the_rest_is_done(root):
    add(root, "no_label", None)
    add(root, "no_image", GOOD, size=None)
    add(root, "other_size", GOOD, size=(5, 4))
    add(root, "fraction", GOOD + 0.5)
    add(root, "colours", np.zeros((3, 4, 3), np.uint8))
    add(root, "broken", GOOD)
    start = (root / "images/broken.png").read_bytes()[:40]
    (root / "images/broken.png").write_bytes(start)
    add(root, "twice", GOOD)
    Image.fromarray(GOOD).save(root / "labels/twice.png")
    add(root, "empty", GOOD * 0)
    add(root, "split", np.array([[1, 0, 1, 0], [0, 0, 0, 3], [3, 0, 0, 3]], np.uint8))
    report = check_data(f"folder:{root}")
    errors = {check.name: check.error for check in report.samples if check.error}
    assert errors.keys() == {
        "no_label", "no_image", "other_size", "fraction", "colours", "broken", "twice",
    }  # fmt: skip
    assert "no_label.png: has no label file" in errors["no_label"]
    assert "no_image.npy: has no image" in errors["no_image"]
    assert "is 4 x 3 but its image other_size.png is 4 x 5" in errors["other_size"]
    assert "no whole numbers" in errors["fraction"]
    assert "colours.npy" in errors["colours"] and "broken.png" in errors["broken"]
    assert "twice.png is the label file of the same name" in errors["twice"]
    assert report.notes == [
        "empty: labels no instance",
        "split: 2 of 2 instances in several pieces: 1, 3",
    ]
    assert not report.ok
    table = report.to_table(limit=2)
    assert "10, of which 3 usable" in table and "error  ... and 5 more" in table
    assert table.count("\nerror") == 4 and table.count("\nnote ") == 2


def test_a_mask_of_classes_is_suspected(root):
    add(root, "mask", np.kron(np.eye(12, dtype=np.uint8), [[1, 0], [0, 0]]) * 255, size=(24, 24))
    assert "12 pieces have one id; if they are separate objects" in check_data(root).notes[1]


def test_a_255_that_may_mean_ignore_is_told(root):
    add(root, "voc", np.where(GOOD == 0, 255, GOOD).astype(np.uint8))
    note = "voc: 255 is an object here; where it means ignore, write -1 (TIFF or NPY)"
    assert check_data(root).notes.count(note) == 1
    many = np.where(GOOD == 0, 255, GOOD).astype(np.uint8)
    many[0, 0] = 254  # so 255 is a number like its neighbour
    add(root, "many", many)
    assert not [n for n in check_data(root).notes if n.startswith("many")]


def test_masks_of_the_foreground_are_suspected(root):
    for file in root.glob("*/*"):
        file.unlink()
    for name in ("a", "b", "c"):
        mask = np.zeros((24, 24), np.uint8)
        mask[4:20, 4:20] = 255
        add(root, name, mask, size=(24, 24))
    assert "every label has the one id 255: these look like masks" in check_data(root).notes[0]
    assert len(check_data(root).notes) == 1, "pieces and the like go without saying"
    mask[4:10] = 1
    add(root, "c", mask, size=(24, 24))
    assert not check_data(root).notes


def test_broken_split_list_is_an_error(root):
    (root / "val.txt").write_text("gone\n")
    report = check_data(root)
    assert len(report.errors) == 1 and "lists 'gone'" in report.errors[0] and not report.ok


def test_cvppp_is_recognised(tmp_path):
    (tmp_path / "A1").mkdir()
    for name in ("plant1_rgb.png", "plant2_rgb.png"):
        Image.fromarray(np.zeros((3, 4, 3), np.uint8)).save(tmp_path / "A1" / name)
    Image.fromarray(GOOD).save(tmp_path / "A1/plant1_label.png")
    Image.fromarray(GOOD).save(tmp_path / "A1/plant3_label.png")
    report = check_data(str(tmp_path))
    assert [check.name for check in report.samples] == ["plant1", "plant2", "plant3"]
    assert [bool(check.error) for check in report.samples] == [False, True, True]
    one = check_data(str(tmp_path / "A1"))
    assert [check.name for check in one.samples] == ["plant1", "plant2", "plant3"]


def test_nothing_is_not_ok(root):
    for file in root.glob("*/good.*"):
        file.unlink()
    report = check_data(root)
    assert not report.ok and "no image has the stem of a label file" in report.errors[0]
    assert "pixels an instance   -" in report.to_table()


def test_places_that_are_not_there(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        check_data(tmp_path / "gone")
    with pytest.raises(InputError, match="holds none of the folders images"):
        check_data(tmp_path)
    with pytest.raises(ValueError, match="unknown data set 'foldr'; did you mean 'folder'"):
        check_data(f"foldr:{tmp_path}")


def test_any_data_set_can_be_checked(root):
    assert check_data("leaves:2,size=64").ok
    assert check_data(open_dataset(f"folder:{root}")).ok


def test_real_plants_are_sound(data_root):
    report = check_data(open_dataset(f"cvppp:{data_root}/cvppp")[::10])
    assert not report.errors and all("several pieces" in note for note in report.notes)


def test_parts_and_sums_of_folders_can_be_checked(root):
    add(root, "a", [[1, 1, 0, 0]] * 3)
    add(root, "b", [[1, 1, 0, 0]] * 3)
    (root / "val.txt").write_text("b\n")
    assert [check.name for check in check_data(f"folder:{root}#val").samples] == ["b"]
    assert len(check_data(f"folder:{root} + leaves:2,1,size=64").samples) == 5


def test_a_folder_may_have_the_signs_of_a_sum_in_its_name(tmp_path):
    root = tmp_path / "p#3 + x"
    for part in ("images", "labels"):
        (root / part).mkdir(parents=True)
    add(root, "a", [[1, 1, 0, 0]] * 3)
    assert check_data(f"folder:{root}").ok
