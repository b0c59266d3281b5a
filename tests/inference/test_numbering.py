"""Numbering without small instances: equal to the two steps of `embedseg.labels`."""

import numpy as np
import pytest

from embedseg.inference.numbering import number
from embedseg.labels import filter_small, relabel


@pytest.mark.parametrize("min_size", [0, 1, 2, 40])
@pytest.mark.parametrize("shape", [(30, 31), (5, 6, 7), (0, 4)])
def test_as_filter_small_and_relabel(shape: tuple[int, ...], min_size: int) -> None:
    rng = np.random.default_rng(0)
    labels = np.where(rng.random(shape) < 0.5, rng.integers(0, 60, shape), 0).astype(np.int32)
    given = labels.copy()
    wanted = relabel(filter_small(labels, min_size)[0])[0]
    np.testing.assert_array_equal(number(labels, min_size), wanted)
    np.testing.assert_array_equal(labels, given)
