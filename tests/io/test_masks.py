"""Which file of a folder is taken for the foreground mask of a picture."""

from pathlib import Path
from unicodedata import normalize

import numpy as np
import pytest
from PIL import Image

from embedseg.io import InputError
from embedseg.io.masks import Masks, refuse_shared


def grey(path: Path, value: int) -> Path:
    """Write a small picture of one value."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((4, 4), value, np.uint8)).save(path)
    return path


def test_a_picture_is_not_its_own_mask(tmp_path: Path) -> None:
    picture = grey(tmp_path / "cell.png", 9)
    with pytest.raises(InputError, match="no foreground mask for cell"):
        Masks.of(tmp_path / ".").read(picture)
    grey(tmp_path / "cell_mask.png", 0)
    assert not Masks.of(tmp_path / ".").read(picture).any()


def test_a_marked_mask_goes_before_a_bare_stem(tmp_path: Path) -> None:
    masks = tmp_path / "masks"
    picture = grey(tmp_path / "plant_rgb.png", 9)
    for name, value in [("plant", 0), ("plant_label", 1), ("plant_rgb", 0), ("plant_rgb_fg", 1)]:
        grey(masks / f"{name}.png", value)
        assert Masks.of(masks).read(picture).all() == bool(value), name


def test_only_pictures_and_label_files_are_masks(tmp_path: Path) -> None:
    masks = tmp_path / "masks"
    mask = grey(masks / "y.png", 1)
    for other in ("y.json", "y.csv", "y_mask.txt", "y_fg"):
        (masks / other).write_text("{}")
    grey(masks / "y.bmp", 0)  # a format for labels goes before others
    grey(masks / "y.JPG", 0)
    assert Masks.of(masks).read(tmp_path / "y.png").all()
    mask.rename(masks / "y.TIFF")
    assert Masks.of(masks).read(tmp_path / "y.png").all()


@pytest.mark.parametrize("stem", ["x[1]", "a*", "why?", "part.2"])
def test_a_mask_of_a_name_with_signs_of_patterns(tmp_path: Path, stem: str) -> None:
    masks = tmp_path / "masks"
    for other in ("x1", "ab", "whyn", "part"):
        grey(masks / f"{other}.png", 0)
    grey(masks / f"{stem}.png", 1)
    assert Masks.of(masks).read(tmp_path / f"{stem}.png").all()


def test_a_folder_of_masks_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder of foreground masks"):
        Masks.of(tmp_path / "none")


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "L", "P", "1"])
def test_a_mask_may_be_saved_in_colours(tmp_path: Path, mode: str) -> None:
    wanted = np.zeros((6, 8), bool)
    wanted[2:4, 3:7] = True
    picture = Image.fromarray(wanted.astype(np.uint8) * 255)
    picture = picture.convert(mode)  # alpha is 255 everywhere and counts for nothing
    picture.save(tmp_path / "y_fg.png")
    assert np.array_equal(Masks.of(tmp_path).read(tmp_path / "y.png"), wanted)


def test_a_jpeg_is_no_mask(tmp_path: Path) -> None:
    Image.fromarray(np.eye(16, dtype=np.uint8) * 255).save(tmp_path / "y_fg.jpg")
    with pytest.raises(InputError, match="a JPEG is no mask"):
        Masks.of(tmp_path).read(tmp_path / "y.png")


@pytest.mark.parametrize("forms", ["CD", "DC"])
def test_a_mask_whose_umlaut_is_spelled_otherwise(tmp_path: Path, forms: str) -> None:
    picture, mask = (normalize(f"NF{form}", "Müller") for form in forms)
    grey(tmp_path / "masks" / f"{mask}_fg.png", 1)
    assert Masks.of(tmp_path / "masks").read(tmp_path / f"{picture}.png").all()


def test_one_file_of_several_pictures_is_refused(tmp_path: Path) -> None:
    masks = tmp_path / "masks"
    grey(masks / "img.png", 1)
    first, second = grey(tmp_path / "a" / "img.png", 9), grey(tmp_path / "b" / "img.tif", 9)
    link, lone = tmp_path / "img.png", tmp_path / "lone.png"
    link.symlink_to(first)
    find = Masks.of(masks).find
    refuse_shared({path: find(path) for path in (first, link, lone)})
    with pytest.raises(InputError, match=r"masks/img.png is .* of .*a/img.png and of .*b/img.tif"):
        refuse_shared({path: find(path) for path in (first, second, lone)})
