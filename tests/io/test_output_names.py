"""No two pictures have results of one name."""

import time
from pathlib import Path

import pytest

from embedseg.io.output_names import unique_names


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
