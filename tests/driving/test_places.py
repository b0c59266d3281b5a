"""What is refused before any work: outputs that cannot be written, or would replace the inputs."""

from pathlib import Path

import pytest
from PIL import Image

from embedseg.driving.finder import LaneFinder
from embedseg.driving.outputs import list_pictures, predict_drive, predict_lanes
from embedseg.driving.places import check_file
from embedseg.io import InputError
from tests.driving.painted import PaintedModel, drive, road, three


@pytest.fixture
def finder() -> LaneFinder:
    return LaneFinder(PaintedModel())  # type: ignore[arg-type]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    (folder / "a").mkdir(parents=True)
    for name in ("0.png", "a/1.png"):
        Image.fromarray(road(three())).save(folder / name)
    return folder


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_places_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    check_file(tmp_path / "new" / "deep" / "x.json")
    check_file(tmp_path / "file")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    for path, words in (
        (tmp_path, "is a folder; name a file"),
        (Path(), r"^\.: is a folder"),
        (tmp_path / "file" / "x.json", "file stands in the way; choose another name"),
    ):
        with pytest.raises(InputError, match=words):
            check_file(path)
    if Path("/proc/self").is_dir():
        with pytest.raises(InputError, match=r"cannot write /proc/x: .*choose another place"):
            check_file(Path("/proc/x/y"))
    monkeypatch.chdir(tmp_path)
    check_file(Path("new"))


def test_lanes_are_not_looked_for_where_they_cannot_be_written(
    finder: LaneFinder, pictures: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("mine")
    file, listed = tmp_path / "file", list_pictures(pictures)
    for out, kind, overlays in (
        (tmp_path, "json", None),
        (file / "x.json", "csv", None),
        (file / "x", "culane", None),
        (tmp_path / "x.json", "json", file),
    ):
        with pytest.raises(InputError, match=r"is a folder|stands in the way"):
            predict_lanes(finder, listed, out, kind, overlays=overlays)
    assert finder.model.batches == []  # type: ignore[attr-defined]
    assert not (tmp_path / "x.json").exists() and file.read_text() == "mine"


def test_two_pictures_do_not_write_one_file(
    finder: LaneFinder, pictures: Path, tmp_path: Path
) -> None:
    (pictures / "0.jpg").write_bytes((pictures / "0.png").read_bytes())
    listed = list_pictures(pictures)
    for kind, overlays in (("culane", None), ("json", tmp_path / "drawn")):
        with pytest.raises(InputError, match=r"0\..* would be written for two pictures"):
            predict_lanes(finder, listed, tmp_path / "out", kind, overlays=overlays)
    assert finder.model.batches == []  # type: ignore[attr-defined]


def test_pictures_labels_and_lists_are_not_replaced(
    finder: LaneFinder, pictures: Path, tmp_path: Path
) -> None:
    (pictures / "a" / "1.lines.txt").write_text("1 2 3 4\n")
    names = tmp_path / "list.txt"
    names.write_text("/0.png\na/1.png\n")
    (tmp_path / "link").symlink_to(pictures)
    before = contents(tmp_path)
    for out, kind, overlays in (
        (pictures / "0.png", "json", None),
        (tmp_path / "link" / "a" / "1.png", "csv", None),
        (names, "json", None),
        (pictures, "culane", None),
        (tmp_path / "x.json", "json", tmp_path / "link"),
    ):
        with pytest.raises(InputError, match="is an input, which the output would replace"):
            predict_lanes(finder, list_pictures(pictures, names), out, kind, overlays=overlays)
    assert contents(tmp_path) == before
    predict_lanes(finder, list_pictures(pictures), tmp_path / "out", "culane")
    assert len(contents(tmp_path / "out")) == 2


def test_drawings_do_not_become_pictures_of_the_next_run(
    finder: LaneFinder, pictures: Path, tmp_path: Path
) -> None:
    listed, before = list_pictures(pictures), contents(tmp_path)
    for overlays in (pictures / "drawn", pictures / "a"):
        with pytest.raises(InputError, match="would be taken for pictures the next time"):
            predict_lanes(finder, listed, tmp_path / "x.json", "json", overlays=overlays)
    assert contents(tmp_path) == before
    one = list_pictures(pictures / "0.png")  # whose folder is not read
    predict_lanes(finder, one, tmp_path / "x.json", "json", overlays=pictures / "drawn")
    assert (pictures / "drawn" / "0.png").is_file()


def test_hidden_folders_are_left_out(pictures: Path) -> None:
    (pictures / ".thumbnails").mkdir()
    (pictures / ".thumbnails" / "0.png").write_bytes((pictures / "0.png").read_bytes())
    assert list_pictures(pictures).names == ["0.png", "a/1.png"]


def test_a_video_is_not_replaced_by_its_own_lanes(finder: LaneFinder, tmp_path: Path) -> None:
    path = drive(tmp_path / "in.avi", 2)
    (tmp_path / "link.avi").symlink_to(path)
    before = path.read_bytes()
    for place, out in ((path, path), (tmp_path / "link.avi", path), (path, tmp_path / "link.avi")):
        with pytest.raises(InputError, match="is an input"):
            predict_drive(finder, place, out)
    assert path.read_bytes() == before and not (tmp_path / "in.csv").exists()


@pytest.mark.parametrize(
    "text", ["", "image,time\n1,2\n", "image,time,lane,point,x,y,z\n", "x" * 99]
)
def test_a_table_of_something_else_stays(finder: LaneFinder, tmp_path: Path, text: str) -> None:
    path, table = drive(tmp_path / "in.avi", 2), tmp_path / "out.csv"
    table.write_text(text)
    with pytest.raises(InputError, match=r"out\.csv: is no table of lanes"):
        predict_drive(finder, path, tmp_path / "out.avi")
    assert table.read_text() == text and not (tmp_path / "out.avi").exists()
    assert finder.model.batches == []  # type: ignore[attr-defined]


def test_a_table_of_lanes_is_written_anew(finder: LaneFinder, tmp_path: Path) -> None:
    path, out = drive(tmp_path / "in.avi", 2), tmp_path / "out.avi"
    predict_drive(finder, path, out)
    table = tmp_path / "out.csv"
    want = table.read_text()
    table.write_bytes(want.replace("\n", "\r\n").encode())  # as a spreadsheet saves it
    predict_drive(finder, path, out)
    assert table.read_text() == want


def test_outputs_that_are_folders_are_told_before_a_drive_is_seen(
    finder: LaneFinder, tmp_path: Path
) -> None:
    path = drive(tmp_path / "in.avi", 2)
    (tmp_path / "x.avi").mkdir()
    (tmp_path / "y.csv").mkdir()
    for out in (tmp_path / "x.avi", tmp_path / "y.avi"):
        with pytest.raises(InputError, match="is a folder"):
            predict_drive(finder, path, out)
    assert finder.model.batches == []  # type: ignore[attr-defined]
