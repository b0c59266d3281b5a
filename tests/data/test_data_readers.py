"""The readers of CVPPP and of generic folders: pairs, formats, names, and files gone wrong."""

import csv
import pickle
from pathlib import Path
from unicodedata import normalize

import numpy as np
import pytest
import tifffile
from PIL import Image

from embedseg.data import Sample, cvppp, folder, open_dataset
from embedseg.data.splits import read_names
from embedseg.io import InputError

LABELS = np.array([[0, 0, 1, 1], [0, 3, 3, 1], [7, 7, 3, 0]], np.uint8)
PICTURE = np.arange(36, dtype=np.uint8).reshape(3, 4, 3)


def save_palette(path: Path, labels: np.ndarray) -> None:
    image = Image.fromarray(labels.astype(np.uint8), mode="P")
    image.putpalette(np.random.default_rng(0).integers(0, 256, 768).astype(np.uint8).tobytes())
    image.save(path)


def write_plants(root: Path, numbers: list[int]) -> Path:
    root.mkdir(parents=True)
    for number in numbers:
        rgba = np.dstack([PICTURE + number, np.full((3, 4), 255, np.uint8)])
        Image.fromarray(rgba).save(root / f"plant{number:03}_rgb.png")
        save_palette(root / f"plant{number:03}_label.png", LABELS)
    return root


def write_pair(root: Path, name: str = "a", labels: np.ndarray = LABELS) -> Path:
    for part in ("images", "labels"):
        (root / part).mkdir(parents=True, exist_ok=True)
    Image.fromarray(PICTURE).save(root / "images" / f"{name}.png")
    np.save(root / "labels" / f"{name}.npy", labels)
    return root


def test_cvppp_reads_rgba_pictures_and_palette_indices(tmp_path):
    data = cvppp(write_plants(tmp_path / "A1", [2, 10]))
    assert data.names == ["plant002", "plant010"]
    np.testing.assert_array_equal(data[1].image, PICTURE + 10)
    np.testing.assert_array_equal(data[1].labels, LABELS)
    assert data[1].labels.dtype == np.int32 and data[1].semantic is None
    assert data[-1].name == "plant010"


def test_cvppp_foreground_mask_is_the_semantic_class(tmp_path):
    root = write_plants(tmp_path / "A1", [1])
    mask = (LABELS > 2) * np.uint8(255)
    Image.fromarray(mask).save(root / "plant001_fg.png")
    np.testing.assert_array_equal(cvppp(root)[0].semantic, LABELS > 2)


def test_cvppp_parent_folder_of_one_or_several_sets(tmp_path):
    write_plants(tmp_path / "A1", [1, 2])
    assert cvppp(tmp_path).names == ["plant001", "plant002"]
    write_plants(tmp_path / "A2", [2])
    assert cvppp(tmp_path).names == ["A1/plant001", "A1/plant002", "A2/plant002"]
    (tmp_path / "train.txt").write_text("plant001_rgb.png\n\n# others\nA2/plant002\n")
    assert cvppp(tmp_path).splits == {"train": ["A1/plant001", "A2/plant002"]}
    (tmp_path / "train.txt").write_text("plant002\n")
    with pytest.raises(InputError, match=r"train.txt: 'plant002' may be any of A1/plant002, A2"):
        cvppp(tmp_path)
    (tmp_path / "train.txt").write_text("plant009\n")
    with pytest.raises(InputError, match=r"lists 'plant009', which is not among the 3"):
        cvppp(tmp_path)


def test_cvppp_inner_folder_uses_lists_of_its_parent(tmp_path):
    write_plants(tmp_path / "A1", [1, 2])
    (tmp_path / "val.txt").write_text("plant002\nplant077\n")
    (tmp_path / "plant_groups.json").write_text('[["plant001", "plant002"], ["plant077"]]')
    data = cvppp(tmp_path / "A1")
    assert data.splits == {"val": ["plant002"]} and data.groups == [["plant001", "plant002"]]


def test_cvppp_plants_without_labels_are_named_in_a_warning(tmp_path, caplog):
    root = write_plants(tmp_path / "A1", [1, 2])
    (root / "plant002_label.png").unlink()
    assert cvppp(root).names == ["plant001"]
    assert "plant002_rgb.png" in caplog.text
    (root / "plant001_label.png").unlink()
    with pytest.raises(InputError, match=r"no plantNNN_rgb\.png with its plantNNN_label\.png"):
        cvppp(root)


@pytest.mark.parametrize("text", ["{", '{"a": 1}', "[[1]]"])
def test_broken_groups_are_one_sentence(tmp_path, text):
    root = write_plants(tmp_path / "A1", [1])
    (root / "plant_groups.json").write_text(text)
    with pytest.raises(InputError, match=r"plant_groups.json"):
        cvppp(root)


def test_folder_reads_every_label_format(tmp_path):
    root = write_pair(tmp_path, "npy")
    for name in ("palette", "grey8", "grey16", "tiff"):
        Image.fromarray(PICTURE).save(root / "images" / f"{name}.png")
    save_palette(root / "labels/palette.png", LABELS)
    Image.fromarray(LABELS).save(root / "labels/grey8.png")
    Image.fromarray(LABELS.astype(np.uint16) * 300).save(root / "labels/grey16.png")
    tifffile.imwrite(root / "labels/tiff.tif", LABELS.astype(np.int32) - (LABELS == 0))
    data = folder(root)
    assert data.names == ["grey16", "grey8", "npy", "palette", "tiff"]
    for sample in data:
        expected = LABELS.astype(np.int32) * (300 if sample.name == "grey16" else 1)
        expected = expected - (LABELS == 0) if sample.name == "tiff" else expected
        np.testing.assert_array_equal(sample.labels, expected)
        np.testing.assert_array_equal(sample.image, PICTURE)


def test_folder_under_any_name_with_classes(tmp_path):
    for name in ("x", "y", "z"):
        (tmp_path / name).mkdir()
    Image.fromarray(PICTURE[..., 0]).save(tmp_path / "x/a.tif")
    Image.fromarray(LABELS).save(tmp_path / "y/a.png")
    Image.fromarray(np.where(LABELS == 7, 255, 2).astype(np.uint8)).save(tmp_path / "z/a.png")
    sample = folder(
        image_dir=tmp_path / "x", label_dir=tmp_path / "y", semantic_dir=tmp_path / "z"
    )[0]
    np.testing.assert_array_equal(sample.image, np.repeat(PICTURE[..., :1], 3, axis=2))
    np.testing.assert_array_equal(sample.semantic, np.where(LABELS == 7, 255, 2))
    with pytest.raises(ValueError, match="both image_dir and label_dir"):
        folder(image_dir=tmp_path / "x")
    with pytest.raises(ValueError, match="either directory, or both"):
        folder(tmp_path, image_dir=tmp_path / "x", label_dir=tmp_path / "y")


@pytest.mark.parametrize(
    ("image", "label"),
    [("x.jpg", "x_mask.png"), ("x_rgb.png", "x_label.png"), ("x_rgb.png", "x.bmp")],
)
def test_folder_pairs_labels_that_are_marked_by_name(tmp_path, image, label):
    for part, name, pixels in (("images", image, PICTURE), ("labels", label, LABELS)):
        (tmp_path / part).mkdir()
        Image.fromarray(pixels).save(tmp_path / part / name)
    data = folder(tmp_path)
    assert data.names == [Path(image).stem]
    np.testing.assert_array_equal(data[0].labels, LABELS)
    Image.fromarray(LABELS).save(tmp_path / "labels" / "x_masks.png")
    with pytest.raises(InputError, match="keep one of them"):
        folder(tmp_path)


def test_folder_leaves_out_what_alone_has_no_classes(tmp_path, caplog):
    root = write_pair(write_pair(tmp_path, "a"), "b")
    (root / "semantic").mkdir()
    assert folder(root).names == ["a", "b"]
    np.save(root / "semantic" / "a.npy", LABELS)
    assert folder(root).names == ["a"] and "b.png: has no file in" in caplog.text


def test_folder_says_why_nothing_fits(tmp_path):
    for part in ("images", "labels"):
        (tmp_path / part).mkdir()
        Image.fromarray(PICTURE).save(tmp_path / part / "a.jpg")
    with pytest.raises(InputError, match=r"a\.jpg is no label file: JPEG changes ids"):
        folder(tmp_path)
    (tmp_path / "labels" / "a.jpg").unlink()
    (tmp_path / "labels" / "plate1").mkdir()
    with pytest.raises(InputError, match="plate1 is a folder in a folder and not read"):
        folder(tmp_path)


def test_folder_leaves_out_lonely_files_and_says_so(tmp_path, caplog):
    root = write_pair(write_pair(tmp_path, "a"), "b")
    (root / "labels/b.npy").unlink()
    for hidden in ("images/._a.png", "labels/._a.npy"):  # such as macOS leaves on other disks
        (root / hidden).touch()
    assert folder(root).names == ["a"]
    assert "b.png: has no label file: left out" in caplog.text


@pytest.mark.parametrize(
    ("label", "kind"), [("b.jpg", "JPEG"), ("b_mask.JPEG", "JPEG"), ("b.webp", "WebP")]
)
def test_folder_says_that_a_label_is_there_but_lossy(tmp_path, caplog, label, kind):
    root = write_pair(write_pair(tmp_path, "a"), "b")
    (root / "labels/b.npy").unlink()
    Image.fromarray(LABELS).save(root / "labels" / label)
    assert folder(root).names == ["a"]
    assert f"b.png: {root / 'labels' / label} is no label file: {kind} changes ids" in caplog.text
    assert "PNG or TIFF: left out" in caplog.text


def test_folder_takes_no_image_for_a_lossy_label(tmp_path, caplog):
    Image.fromarray(PICTURE).save(tmp_path / "b.jpg")
    with pytest.raises(InputError, match="no image has the stem"):
        folder(image_dir=tmp_path, label_dir=tmp_path)
    assert "b.jpg: has no label file" in caplog.text


def test_folder_refuses_what_cannot_be_meant(tmp_path):
    root = write_pair(tmp_path)
    Image.fromarray(PICTURE).save(root / "images/a.jpg")
    with pytest.raises(InputError, match=r"a.jpg: a.png is the image of the same name"):
        folder(root)
    (root / "images/a.png").unlink()
    (root / "images/a.jpg").rename(root / "images/c.jpg")
    with pytest.raises(InputError, match="no image has the stem of a label file"):
        folder(root)
    with pytest.raises(InputError, match="no such folder"):
        folder(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"none of the folders images.*the folder around it"):
        folder(root / "labels")
    (tmp_path / "other").mkdir()
    with pytest.raises(InputError, match="make one of the folders images"):
        folder(tmp_path / "other")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (LABELS[:2], r"a.npy: is 4 x 2 but its image a.png is 4 x 3"),
        (LABELS + 0.5, r"a.npy holds values that are no whole numbers"),
        (np.repeat(LABELS[..., None], 3, 2), r"a.npy"),
    ],
)
def test_bad_labels_name_their_file(tmp_path, labels, message):
    data = folder(write_pair(tmp_path, labels=labels))
    with pytest.raises(InputError, match=message):
        data[0]


def test_truncated_picture_names_its_file(tmp_path):
    root = write_pair(tmp_path)
    path = root / "images/a.png"
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(InputError, match=r"a\.png"):
        folder(root)[0]


def test_spec_names_dataset_place_and_split(tmp_path):
    root = write_pair(write_pair(tmp_path, "a"), "b")
    with pytest.raises(ValueError, match=r"#val: this data set has no lists of splits"):
        open_dataset(f"folder:{root}#val")
    (root / "val.txt").write_text("b.png\n")
    assert open_dataset(f"folder:{root}").names == ["a", "b"]
    assert open_dataset(f"folder:{root}#val").names == ["b"]
    with pytest.raises(ValueError, match="unknown split 'vall'; did you mean 'val'"):
        open_dataset(f"folder:{root}#vall")
    with pytest.raises(ValueError, match="unknown data set 'foldr'; did you mean 'folder'"):
        open_dataset(f"foldr:{root}")
    with pytest.raises(ValueError, match="did you mean folder:/"):
        open_dataset(str(tmp_path))
    with pytest.raises(ValueError, match="must be written name:where"):
        open_dataset(str(root))


def test_an_umlaut_may_be_spelled_as_two_signs(tmp_path):
    """As file systems of Macs have it: the names look the same."""
    one, two = normalize("NFC", "Müller 1"), normalize("NFD", "Müller 1")
    for stored, listed in ((one, two), (two, one)):
        root = write_pair(tmp_path / stored, stored)
        (root / "labels" / f"{stored}.npy").rename(root / "labels" / f"{listed}_mask.npy")
        (root / "val.txt").write_text(f"{listed}.png\n{stored}\n", encoding="utf-8")
        data = folder(root)
        assert data.names == [one] and data.splits["val"] == [one, one]
        assert read_names(root / "val.txt", [two]) == [two, two]


def test_dataset_slices_subsets_and_pickles(tmp_path):
    data = pickle.loads(pickle.dumps(cvppp(write_plants(tmp_path / "A1", [1, 2, 3]))))
    assert [s.name for s in data] == data.names and len(data[1:]) == 2
    assert data.subset(["plant003", "plant001"]).names == ["plant003", "plant001"]
    with pytest.raises(ValueError, match="unknown sample 'plant004'"):
        data.subset(["plant004"])
    kept = data.in_memory()
    assert kept[1] is kept[1] and data[1] is not data[1]


def test_sample_refuses_wrong_shapes_and_dtypes():
    image, labels = np.zeros((3, 4, 3), np.uint8), np.zeros((3, 4), np.int32)
    with pytest.raises(ValueError, match=r"image of sample 'x' must be \(H, W, 3\) uint8"):
        Sample(image[..., 0], labels, name="x")
    with pytest.raises(ValueError, match=r"labels of sample '' must be \(3, 4\) int32"):
        Sample(image, labels.astype(np.int64))
    with pytest.raises(ValueError, match="semantic of sample"):
        Sample(image, labels, labels)


def test_real_plants_have_the_published_counts(data_root):
    data = open_dataset(f"cvppp:{data_root}/cvppp")
    with (data_root / "cvppp/A1/A1.csv").open() as file:
        counts = {row[0].removesuffix("_rgb.png"): int(row[1]) for row in csv.reader(file)}
    assert len(data) == 102 and counts.keys() == set(data.names)
    for sample in data[::6]:
        assert sample.image.shape == (530, 500, 3)
        assert len(np.unique(sample.labels)) - 1 == counts[sample.name]


def test_real_split_separates_no_group(data_root):
    data = open_dataset(f"cvppp:{data_root}/cvppp")
    train, val = data.split("train"), data.split("val")
    assert (len(train), len(val)) == (82, 20)
    assert sorted(train.names + val.names) == data.names
    assert sorted(name for group in data.groups for name in group) == data.names
    for group in data.groups:
        assert set(group) <= set(train.names) or set(group) <= set(val.names)


def test_real_nuclei_open_as_a_folder(data_root):
    data = open_dataset(f"folder:{data_root}/nuclei")
    assert (len(data.split("train")), len(data.split("val"))) == (465, 99)
    assert data[0].labels.max() > 0
