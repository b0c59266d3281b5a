"""What a user types stands for which files."""

import io

import pytest

from embedseg.io import InputError, list_images


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name in ["b.png", "a.JPG", "c.tif", "notes.txt", ".hidden.png", "sub/d.png", "e[1].png"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "folder.png").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(paths):
    return [path.as_posix() for path in paths]


@pytest.mark.parametrize(
    ("inputs", "wanted"),
    [
        ("b.png", ["b.png"]),
        (".", ["a.JPG", "b.png", "c.tif", "e[1].png"]),
        ("*.png", ["b.png", "e[1].png"]),
        ("**/*.png", ["b.png", "e[1].png", "sub/d.png"]),
        ("[bc].*", ["b.png", "c.tif"]),
        ("*", ["a.JPG", "b.png", "c.tif", "e[1].png"]),
        ("e[1].png", ["e[1].png"]),
        ("notes.txt", ["notes.txt"]),
        (["sub", "b.png", "./b.png", "*.png"], ["b.png", "e[1].png", "sub/d.png"]),
        (["b.png", "missing.png"], ["b.png", "missing.png"]),
    ],
)
def test_inputs(folder, inputs, wanted):
    assert names(list_images(inputs)) == wanted


def test_absolute_paths_and_patterns(folder):
    assert list_images(folder / "sub") == [folder / "sub/d.png"]
    assert list_images(str(folder / "s*/*.png")) == [folder / "sub/d.png"]


def test_standard_input(folder, monkeypatch):
    assert names(list_images("-", stdin=io.StringIO("sub\n\n b.png \n"))) == ["b.png", "sub/d.png"]
    monkeypatch.setattr("sys.stdin", io.StringIO("c.tif\n"))
    assert names(list_images(["-", "b.png"])) == ["b.png", "c.tif"]


@pytest.mark.parametrize(
    ("inputs", "complaint"),
    [
        ("missing.png", r"missing\.png does not exist"),
        (["x.png", "y.png"], r"x\.png does not exist"),
        ("folder.png", r"the folder folder\.png holds no image"),
        ("*.bmp", r"the pattern \*\.bmp matches no image; images end in \.bmp"),
        (["b.png", "*.bmp"], r"the pattern \*\.bmp matches no image"),
        ([], "no input was given"),
    ],
)
def test_inputs_that_stand_for_nothing(folder, inputs, complaint):
    with pytest.raises(InputError, match=complaint):
        list_images(inputs)


def test_a_folder_of_folders_says_what_to_write(tmp_path):
    (tmp_path / "plate1").mkdir()
    with pytest.raises(
        InputError, match=r"holds no image but folders, such as plate1: write '.*/\*\*/\*'"
    ):
        list_images(tmp_path)


def test_empty_standard_input(folder):
    with pytest.raises(InputError, match="no path came on the standard input"):
        list_images("-", stdin=io.StringIO("\n"))


def test_a_link_to_nothing_is_kept_so_that_its_reading_reports_it(tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    (tmp_path / "b.png").symlink_to(tmp_path / "gone.png")
    assert [path.name for path in list_images(tmp_path)] == ["a.png", "b.png"]


def test_two_spellings_of_a_path_are_one(folder):
    found = list_images(["b.png", "sub/../b.png", "./b.png", str(folder / "b.png"), "sub"])
    assert [path.name for path in found] == ["b.png", "d.png"]
