"""Grouped K folds: every name held out once, no group separated, nearly equal sizes."""

import pytest

from embedseg.data import grouped_folds
from embedseg.data.splits import read_names

NAMES = [f"p{i}" for i in range(23)]
GROUPS = [NAMES[0:6], NAMES[6:9], NAMES[9:14], NAMES[14:16], ["elsewhere"]]


@pytest.mark.parametrize("k", [2, 3, 5])
def test_folds_partition_and_keep_groups_together(k):
    folds = grouped_folds(NAMES, GROUPS, k, seed=1)
    assert len(folds) == k
    assert sorted(name for _, held in folds for name in held) == sorted(NAMES)
    for train, held in folds:
        assert sorted(train + held) == sorted(NAMES)
        assert held == [name for name in NAMES if name in held]
        for group in GROUPS[:4]:
            assert set(group) <= set(held) or not set(group) & set(held)
    sizes = [len(held) for _, held in folds]
    assert max(sizes) - min(sizes) <= 2


def test_seed_decides():
    assert grouped_folds(NAMES, GROUPS, 3, 4) == grouped_folds(NAMES, GROUPS, 3, 4)
    assert grouped_folds(NAMES, GROUPS, 3, 4) != grouped_folds(NAMES, GROUPS, 3, 5)
    shuffled = [list(reversed(group)) for group in reversed(GROUPS)]
    assert grouped_folds(NAMES, shuffled, 3, 4) == grouped_folds(NAMES, GROUPS, 3, 4)


@pytest.mark.parametrize("k", [0, 1, 12])
def test_impossible_k(k):
    with pytest.raises(ValueError, match=f"k must be between 2 and the 11 groups, got {k}"):
        grouped_folds(NAMES, GROUPS, k)


def test_a_name_in_two_groups():
    with pytest.raises(ValueError, match="'b' more than once"):
        grouped_folds(["a", "b", "c"], [["a", "b"], ["b", "c"]], 2)


def test_listed_names_may_have_endings_of_any_case(tmp_path):
    file = tmp_path / "val.txt"
    file.write_text("a.JPG\nb.jpeg\nplant1_rgb.png\n# c\n\nd\n", encoding="utf-8-sig")
    assert read_names(file) == ["a", "b", "plant1", "d"]


def test_a_name_that_is_known_stays_as_it_is(tmp_path):
    file = tmp_path / "val.txt"
    file.write_text("a_rgb\nb_rgb.png\nc.png\n")
    assert read_names(file, ["a_rgb", "b_rgb", "c.png"]) == ["a_rgb", "b_rgb", "c.png"]
