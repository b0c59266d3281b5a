"""Several data sets as one."""

from pathlib import Path

import numpy as np
import pytest

from embedseg.data import open_dataset


def test_parts_are_joined_and_repeated() -> None:
    data = open_dataset("roads:2,seed=1,size=64x32 + 3*roads:1,seed=2,size=64x32")
    assert data.names == ["roads1-00000", "roads1-00001", *["roads2-00000"] * 3]
    assert data[4].name == "roads2-00000"
    np.testing.assert_array_equal(data[2].image, data[4].image)
    assert len(data.in_memory()) == 5


def test_splits_of_the_parts_are_joined(tmp_path: Path) -> None:
    from embedseg.io import write_image, write_labels

    for part in "ab":
        root = tmp_path / part
        for name in (f"{part}1", f"{part}2"):
            write_image(root / "images" / f"{name}.png", np.zeros((8, 8, 3), np.uint8))
            write_labels(root / "labels" / f"{name}.png", np.ones((8, 8), np.int32))
        (root / "val.txt").write_text(f"{part}2\n")
    data = open_dataset(f"folder:{tmp_path}/a + folder:{tmp_path}/b")
    assert data.names == ["a1", "a2", "b1", "b2"]
    assert data.split("val").names == ["a2", "b2"]
    assert open_dataset(f"2*folder:{tmp_path}/a#val").names == ["a2", "a2"]


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("roads:2 + roads:3", "two parts of .* hold a sample 'roads0-00000'"),
        ("0*roads:2", "at least once"),
        ("roads:2 + rods:3", "did you mean 'roads'"),
        ("roads:2 + ", "must be written name:where"),
    ],
)
def test_bad_sums_are_refused(spec: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        open_dataset(spec)
