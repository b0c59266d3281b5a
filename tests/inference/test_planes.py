"""Outputs in either memory order come as the same planes; NaN and infinity are seen anywhere."""

import numpy as np
import pytest
import torch

from embedseg.inference.planes import all_finite, on_host, planes


@pytest.mark.parametrize("shape", [(1, 3, 5), (16, 4, 7), (3, 1, 1), (5, 2, 3, 4)])
def test_planes_are_the_values_in_order(shape: tuple[int, ...]) -> None:
    values = torch.randn(shape)
    last = values.movedim(0, -1).contiguous().movedim(-1, 0)
    strided = torch.randn(*shape[:-1], 2 * shape[-1])[..., ::2]
    for given in (values, last, strided, values.to(torch.bfloat16)):
        found = planes(given)
        assert found.flags.c_contiguous and found.dtype == np.float32
        np.testing.assert_array_equal(found, given.float().numpy())
    assert np.shares_memory(planes(values), values.numpy())


def test_what_lies_in_either_order_stays_where_it_is() -> None:
    values = torch.randn(4, 5, 6)
    last = values.movedim(0, -1).contiguous().movedim(-1, 0)
    strided = torch.randn(4, 5, 12)[..., ::2]
    for given in (values, last, strided):
        np.testing.assert_array_equal(on_host(given), given.numpy())
    assert np.shares_memory(on_host(values), values.numpy())
    assert np.shares_memory(on_host(last), last.numpy())
    window = last[:, 1:4, 2:]
    np.testing.assert_array_equal(on_host(window), window.numpy())
    assert np.moveaxis(on_host(window), 0, -1).flags.c_contiguous


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_one_value_that_is_not_finite_is_seen(bad: float) -> None:
    values = torch.zeros(4, 9, 9).movedim(0, -1).contiguous().movedim(-1, 0)
    assert all_finite(values)
    values[3, 8, 8] = bad
    assert not all_finite(values)
    values[0, 0, 0] = -bad
    assert not all_finite(values)


def test_large_finite_values_are_finite() -> None:
    assert all_finite(torch.full((4, 9), 3e38))
