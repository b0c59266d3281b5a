"""Measurements of instances: equal to a loop over the instances with plain numpy."""

import numpy as np
import pytest

from embedseg.inference.measure import COLUMNS, measure


@pytest.mark.parametrize("spread", [1, 1000])  # ids in a table, and too wide apart for one
def test_as_a_loop_over_the_instances(spread: int) -> None:
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 6, (13, 17)).astype(np.int32) * spread
    image = rng.integers(0, 256, (13, 17, 3)).astype(np.uint8)
    rows = measure(labels, {2 * spread: 0.25}, image, "x")
    assert [row["id"] for row in rows] == [spread * i for i in range(1, 6)]
    for row in rows:
        assert tuple(row) == COLUMNS
        down, right = np.nonzero(labels == row["id"])
        colour = image[down, right].mean(axis=0)
        wanted = ("x", row["id"], len(down), *np.round([down.mean(), right.mean()], 2))
        wanted += (down.min(), right.min(), down.max(), right.max())
        wanted += (0.25 if row["id"] == 2 * spread else 1.0, *np.round(colour, 2))
        assert tuple(row.values()) == wanted


def test_without_a_picture_and_without_an_instance() -> None:
    labels = np.array([[0, 3], [3, 0]], np.int32)
    (row,) = measure(labels, {})
    assert np.isnan(row["mean_red"]) and row["area"] == 2
    assert measure(np.zeros((4, 4), np.int32), {}) == []
