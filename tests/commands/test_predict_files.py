"""`predict_files`: which mask belongs to a picture, what results are called, what failures cost."""

import csv
import os
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import embedseg
from embedseg.io import InputError, write_image
from embedseg.model import Model
from embedseg.predict import Masks, predict_files, unique_names
from tests.scenes import discs


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


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        (("x/a.png", "y/b.png", "c.d.png"), ("a", "b", "c.d")),
        (("x/a.png", "y/a.jpg"), ("x_a", "y_a")),
        (("p/x/a.png", "q/x/a.png", "r/x/a.png"), ("x_a", "x_a_2", "x_a_3")),
        (("in/grey.bmp", "in/grey.jpg", "in/grey.png"), ("grey_bmp", "grey_jpg", "grey_png")),
        (("x/a.jpg", "x/a.png", "y/a.png"), ("x_a_jpg", "x_a_png", "y_a")),
        (("p/x/a.png", "q/x/a.png", "y/x_a_2.png"), ("x_a", "x_a_3", "x_a_2")),
        (("x/a.jpg", "x/a.png", "y/a_jpg.png"), ("a_jpg_2", "a_png", "a_jpg")),
        (("x/a", "x/a.png"), ("a", "a_png")),
    ],
)
def test_every_picture_has_a_name_of_its_own(
    files: tuple[str, ...], wanted: tuple[str, ...]
) -> None:
    paths = [Path(file) for file in files]
    assert list(unique_names(paths).items()) == list(zip(paths, wanted, strict=True))
    assert len({*unique_names(paths[::-1]).values()}) == len(paths)


def test_names_of_many_pictures_are_quickly_found() -> None:
    many = [Path(f"{k}/x/{k % 2 and 'a'}.png") for k in range(20_000)]
    started = time.process_time()
    assert len({*unique_names(many).values()}) == len(many)
    assert time.process_time() - started < 3  # a count for each took over 8 s


def test_reserved_names_are_given_to_nobody() -> None:
    paths = [Path("a/index.png"), Path("a/Index.jpg"), Path("b.png")]
    assert [*unique_names(paths, reserved={"index"}).values()] == ["index_2", "Index_2", "b"]


NO_MEMORY = [
    RuntimeError("[enforce fail at alloc_cpu.cpp:1] DefaultCPUAllocator: can't allocate memory"),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB"),
    MemoryError(),
]


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    """Four pictures of discs, the third of them called big."""
    paths = [tmp_path / f"{name}.png" for name in ("a", "b", "big", "c")]
    for seed, path in enumerate(paths):
        write_image(path, discs(seed)[0])
    return paths


def raise_at_big(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Let the network raise `error` where it sees the picture called big."""
    outputs = Model.outputs

    def failing(self: Model, image: object, name: str = "image") -> object:
        if name == "big":
            raise error
        return outputs(self, image, name)

    monkeypatch.setattr(Model, "outputs", failing)


def listed(out: Path) -> set[str]:
    """Return the pictures of a summary."""
    with (out / "summary.csv").open(newline="", errors="surrogateescape") as file:
        return {row["image"] for row in csv.DictReader(file)}


@pytest.mark.parametrize("error", NO_MEMORY, ids=lambda e: type(e).__name__)
def test_a_picture_too_large_for_the_memory_fails_alone(
    tiny_run: Path,
    pictures: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    raise_at_big(monkeypatch, error)
    outcome = predict_files(embedseg.load(tiny_run, device="cpu"), pictures, tmp_path / "out")
    assert list(outcome.failures) == [pictures[2]]
    reason = outcome.failures[pictures[2]]
    assert reason.startswith(f"{pictures[2]}: is too large for the memory") and "\n" not in reason
    assert listed(tmp_path / "out") == {*outcome.instances} == {"a", "b", "c"}


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("a fault of ours")])
def test_what_is_done_is_in_the_summary_whatever_ends_it(
    tiny_run: Path,
    pictures: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
) -> None:
    raise_at_big(monkeypatch, error)
    with pytest.raises(type(error)):
        predict_files(embedseg.load(tiny_run, device="cpu"), pictures, tmp_path / "out")
    written = {p.name.removesuffix("_labels.tif") for p in (tmp_path / "out").glob("*_labels.tif")}
    assert listed(tmp_path / "out") == written >= {"a", "b"}


def test_a_name_that_is_no_utf8(tiny_run: Path, tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"gr\xfcn.png")
    write_image(odd, discs(0)[0])
    model = embedseg.load(tiny_run, device="cpu")
    for _ in range(2):  # the second time over the first one's summary
        outcome = predict_files(model, [odd], tmp_path / "out")
        assert not outcome.failures and listed(tmp_path / "out") == {odd.stem}
    assert (tmp_path / "out" / f"{odd.stem}_labels.tif").is_file()
