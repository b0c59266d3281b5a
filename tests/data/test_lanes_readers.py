"""The lane data sets, read from fixtures that are written here."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from embedseg.data.lane_sample import LaneSample, lane_sample
from embedseg.data.lanes_culane import culane
from embedseg.data.lanes_lanenet import lanenet
from embedseg.data.lanes_polylines import curvelanes, polylines
from embedseg.data.lanes_specs import LANE_DATASETS, read_size
from embedseg.data.lanes_tusimple import tusimple
from embedseg.io import InputError, write_image, write_labels
from embedseg.lanes.polylines import lanes_of

LANE = [(20.0, 10.0), (20.0, 39.0)]  # in pictures of 80 x 40


def save(path: Path, value: int = 90) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((40, 80, 3), value, np.uint8)).save(path)
    return path


def text(path: Path, content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def stroke(sample: LaneSample, row: int = 30) -> list[int]:
    return np.flatnonzero(sample.labels[row]).tolist()


def make_tusimple(root: Path) -> Path:
    save(root / "clips" / "a" / "20.jpg")
    save(root / "clips" / "b" / "20.jpg")
    lanes = [[20, 20, 20], [-2, -2, 60]]
    lines = [
        {"raw_file": f"clips/{c}/20.jpg", "lanes": lanes, "h_samples": [10, 20, 39]} for c in "ac"
    ]
    text(root / "label_data_0313.json", "\n".join(json.dumps(line) for line in lines))
    line = {"raw_file": "clips/b/20.jpg", "lanes": [], "h_samples": []}
    text(root / "label_data_0531.json", json.dumps(line))
    return root


def test_tusimple_frames_with_a_picture(tmp_path: Path, caplog) -> None:
    data = tusimple(make_tusimple(tmp_path), size=(720, 1280), width=4)
    assert data.names == ["clips/a/20.jpg", "clips/b/20.jpg"]
    assert "1 labelled frames have no picture" in caplog.text
    assert data.split("train").names == data.split("label_data_0313").names == data.names[:1]
    assert data.split("val").names == data.names[1:]
    assert stroke(data[0]) == [18, 19, 20, 21, 22] and not data[1].labels.any()


def test_tusimple_label_size_is_scaled_to_the_picture(tmp_path: Path) -> None:
    # the label file speaks of 1280 x 720, the picture is 80 x 40
    sample = tusimple(make_tusimple(tmp_path))[0]
    assert sample.lanes.size == (40, 80)
    assert sample.lanes.points[0][0, 0] == pytest.approx(20.5 / 16 - 0.5)
    assert pickle.loads(pickle.dumps(tusimple(tmp_path)))[0].name == "clips/a/20.jpg"


def test_tusimple_real_frames(data_root: Path) -> None:
    root = data_root / "lanes" / "tusimple"
    if not root.is_dir():
        pytest.skip(f"no {root}")
    data = LANE_DATASETS["tusimple"](str(root))
    assert len(data) == 6
    sample = data[0]
    assert sample.image.shape == (256, 512, 3) and sample.labels.max() == len(sample.lanes) >= 4


def test_tusimple_without_files_or_pictures(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no label file"):
        tusimple(tmp_path)
    line = {"raw_file": "clips/x/20.jpg", "lanes": [], "h_samples": []}
    text(tmp_path / "l.json", json.dumps(line))
    with pytest.raises(InputError, match="none of the 1 labelled frames"):
        tusimple(tmp_path)


def make_culane(root: Path, names: tuple[str, ...] = ("a", "b")) -> Path:
    for name in names:
        save(root / "drive" / f"{name}.jpg")
        text(root / "drive" / f"{name}.lines.txt", "20 39 20 10\n")
    return root


def test_culane_by_lists_and_categories(tmp_path: Path, caplog) -> None:
    make_culane(tmp_path)
    text(tmp_path / "list" / "train_gt.txt", "/drive/a.jpg /seg/a.png 1 0 0 0\n/drive/gone.jpg\n")
    text(tmp_path / "list" / "test.txt", "/drive/b.jpg\n")
    text(tmp_path / "list" / "test_split" / "test7_cross.txt", "drive/b.jpg \n")  # as published
    data = culane(tmp_path, width=4)
    assert data.names == ["/drive/a.jpg", "/drive/b.jpg"] and "1 listed pictures" in caplog.text
    assert data.split("cross").names == data.split("test").names == ["/drive/b.jpg"]
    assert stroke(data[0]) == [18, 19, 20, 21, 22]
    assert data[0].lanes.size == (40, 80)


def test_culane_without_lists_and_with_masks(tmp_path: Path) -> None:
    make_culane(tmp_path, ("a",))
    mask = np.zeros((40, 80), np.uint8)
    mask[:, 7] = 3
    (tmp_path / "laneseg_label_w16" / "drive").mkdir(parents=True)
    Image.fromarray(mask).save(tmp_path / "laneseg_label_w16" / "drive" / "a.png")
    assert culane(tmp_path).names == ["/drive/a.jpg"]
    sample = LANE_DATASETS["culane"](f"{tmp_path},size=own,masks=yes")[0]
    np.testing.assert_array_equal(sample.labels, mask)
    Image.fromarray(mask[:20]).save(tmp_path / "laneseg_label_w16" / "drive" / "a.png")
    with pytest.raises(InputError, match="same size"):
        culane(tmp_path, masks=True)[0]
    with pytest.raises(InputError, match="no picture"):
        culane(tmp_path / "laneseg_label_w16")
    with pytest.raises(InputError, match="no such folder"):
        culane(tmp_path / "none")


def test_curvelanes(tmp_path: Path) -> None:
    for folder in ("train", "valid"):
        save(tmp_path / folder / "images" / "x1.jpg")
        lines = {"Lines": [[{"x": str(x), "y": str(y)} for x, y in LANE]]}
        text(tmp_path / folder / "labels" / "x1.lines.json", lines)
    data = curvelanes(tmp_path, size=(20, 40), width=2)
    assert data.split("val").names == ["valid/images/x1.jpg"] and len(data) == 2
    assert data[0].image.shape == (20, 40, 3) and stroke(data[0], 15) == [9, 10]
    with pytest.raises(InputError, match="no train/labels"):
        curvelanes(tmp_path / "train")


def test_curvelanes_pictures_may_have_dots_in_their_names(tmp_path: Path) -> None:
    save(tmp_path / "train" / "images" / "x.1.jpg")
    text(tmp_path / "train" / "labels" / "x.1.lines.json", {"Lines": []})
    assert curvelanes(tmp_path).names == ["train/images/x.1.jpg"]


def test_polylines_in_one_file_and_beside_pictures(tmp_path: Path, caplog) -> None:
    save(tmp_path / "images" / "a.png")
    save(tmp_path / "b.jpg")
    one = text(
        tmp_path / "all.json",
        [{"name": n, "lanes": [LANE]} for n in ("a.png", "b.jpg", "gone.png")],
    )
    assert polylines(one).names == ["images/a.png", "b.jpg"] and "1 labels have no" in caplog.text
    one.unlink()
    text(tmp_path / "b.json", {"shapes": [{"points": LANE}], "imagePath": "elsewhere/b.jpg"})
    data = polylines(tmp_path)
    assert data.names == ["b.jpg"] and stroke(data[0]) == [18, 19, 20, 21, 22]
    assert stroke(polylines(tmp_path, width=2)[0]) == [19, 20, 21]
    (tmp_path / "b.jpg").unlink()
    with pytest.raises(InputError, match="no JSON label with its picture"):
        polylines(tmp_path)


def test_llamas_as_it_is_published(tmp_path: Path) -> None:
    ends = [(30, 25), (20, 15), (10, 5)]  # from near to far
    markers = [
        {"pixel_start": {"x": 9, "y": a}, "pixel_end": {"x": 9, "y": b}, "lane_marker_id": str(a)}
        for a, b in ends
    ]
    mixed = [markers[2], markers[0], markers[1]]  # the order is not promised
    label = {"image_name": "140_001", "projection_matrix": [], "lanes": [{"markers": mixed}]}
    root = tmp_path / "labels" / "llamas"
    text(root / "labels" / "train" / "drive" / "140_001.json", label)
    save(root / "color_images" / "train" / "drive" / "140_001_color_rect.png")
    data = polylines(root)
    assert data.names == ["color_images/train/drive/140_001_color_rect.png"]
    assert data[0].lanes.points[0][:, 1].tolist() == [30, 25, 20, 15, 10, 5]
    assert len(polylines(root / "labels")) == 1


def test_labels_name_pictures_elsewhere_or_as_windows_does(tmp_path: Path) -> None:
    picture = save(tmp_path / "images" / "a.png")
    label = text(tmp_path / "marked" / "x.json", {"imagePath": str(picture), "lanes": [LANE]})
    assert polylines(label.parent)[0].image.shape == (40, 80, 3)
    text(label, {"imagePath": "..\\images\\a.png", "lanes": [LANE]})
    assert polylines(label.parent)[0].image.shape == (40, 80, 3)


def test_two_labels_of_one_picture_are_refused(tmp_path: Path) -> None:
    save(tmp_path / "a.png")
    for name in ("truth.json", "prediction.json"):
        text(tmp_path / name, {"name": "a.png", "lanes": [LANE]})
    with pytest.raises(InputError, match=r"truth\.json: a\.png has a label already"):
        polylines(tmp_path)


def test_lanenet_layout(tmp_path: Path) -> None:
    image = np.full((40, 80, 3), 70, np.uint8)
    labels = lane_sample(image, lanes_of([LANE, [(50, 5), (60, 39)]]), width=4).labels
    for name in ("0000", "0001"):
        write_image(tmp_path / "image" / f"{name}.png", image)
        write_image(tmp_path / "gt_binary_image" / f"{name}.png", np.uint8(255) * (labels > 0))
        write_labels(tmp_path / "gt_instance_image" / f"{name}.png", labels)
    (tmp_path / "train.txt").write_text("image/0001.png gt_binary_image/0001.png\n")
    data = lanenet(tmp_path)
    assert data.names == ["0000", "0001"] and data.split("train").names == ["0001"]
    np.testing.assert_array_equal(data[0].labels, labels)
    np.testing.assert_array_equal(data[0].semantic, labels > 0)
    np.testing.assert_array_equal(data[0].image, image)
    assert LANE_DATASETS["lanenet"](f"{tmp_path},size=40x20")[0].labels.shape == (20, 40)


def test_lanenet_real_example(data_root: Path) -> None:
    root = data_root / "lanes" / "lanenet_example"
    if not root.is_dir():
        pytest.skip(f"no {root}")
    data = lanenet(root)
    assert len(data) == 6 and data.split("train").names[0] == "0000"
    assert np.unique(data[0].labels).tolist() == [0, 20, 70, 120, 170]
    assert np.array_equal(data[0].semantic == 1, data[0].labels > 0)


def test_lanenet_broken_layouts(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no image/"):
        lanenet(tmp_path)
    save(tmp_path / "image" / "a.png")
    (tmp_path / "gt_instance_image").mkdir()
    with pytest.raises(InputError, match="no picture in image/"):
        lanenet(tmp_path)


def test_specs(tmp_path: Path) -> None:
    make_culane(tmp_path, ("a",))
    assert LANE_DATASETS["culane"](str(tmp_path))[0].labels.shape == (256, 512)
    sample = LANE_DATASETS["culane"](f"{tmp_path},size=40x20,width=2")[0]
    assert sample.labels.shape == (20, 40) and stroke(sample, 15) == [9, 10]
    assert read_size("own") is None and read_size("512x256") == (256, 512)
    for where, words in (
        (",colour=1", "did you mean|choose from"),
        (",size=512", "WIDTHxHEIGHT"),
        (",wide", "key=value"),
        (",masks=1", "yes or no"),
    ):
        with pytest.raises(ValueError, match=words):
            LANE_DATASETS["culane"](str(tmp_path) + where)


def test_culane_pictures_may_have_dots_in_their_names(tmp_path: Path) -> None:
    save(tmp_path / "drive.0001.jpg")
    text(tmp_path / "drive.0001.lines.txt", "20 10 20 39")
    assert culane(tmp_path).names == ["/drive.0001.jpg"]
