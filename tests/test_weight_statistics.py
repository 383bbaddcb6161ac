"""Statistics of weights against plain Python, for values of every kind."""

from __future__ import annotations

import math
import statistics

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from archscope.weight_statistics import BINS, MOST_LEVELS, weight_statistics

VALUES = st.floats(width=32, min_value=-1e6, max_value=1e6) | st.sampled_from(
    [0.0, math.nan, math.inf, -math.inf]
)


@given(st.lists(VALUES, min_size=1, max_size=40))
def test_any_values(values: list[float]) -> None:
    (found,) = weight_statistics({"w": torch.tensor(values, dtype=torch.float64)})
    finite = [value for value in values if math.isfinite(value)]
    assert (found.values, found.not_finite) == (len(values), len(values) - len(finite))
    assert found.zeros == values.count(0.0)
    assert (found.shape, found.zero_rows) == ((len(values),), None)
    if not finite:
        assert {found.mean, found.std, found.least, found.largest, found.levels} == {None}
        assert found.histogram == ()
        return
    assert (found.least, found.largest) == (min(finite), max(finite))
    assert found.mean == pytest.approx(statistics.fmean(finite), rel=1e-9, abs=1e-9)
    assert found.std == pytest.approx(statistics.pstdev(finite), rel=1e-6, abs=1e-6)
    assert found.levels == len(set(finite))
    assert (len(found.histogram), sum(found.histogram)) == (BINS, len(finite))


def test_rows_of_zeros() -> None:
    kernel = torch.randn(6, 3, 3, 3)
    kernel[1], kernel[4], kernel[2, 0] = 0.0, 0.0, 0.0
    (found,) = weight_statistics({"conv.weight": kernel})
    assert (found.zero_rows, found.zeros) == (2, 2 * 27 + 9)


def test_levels_are_counted_up_to_those_of_eight_bits() -> None:
    few = torch.arange(MOST_LEVELS).repeat(100)
    late = torch.cat((few, torch.tensor([-1])))  # one more, far behind the first values
    found = weight_statistics({"few": few, "late": late, "many": torch.randn(10_000)})
    assert [item.levels for item in found] == [MOST_LEVELS, None, None]


def test_every_type_and_size() -> None:
    tensors = {
        str(dtype): torch.ones(2, 2).to(dtype)
        for dtype in (torch.float16, torch.bfloat16, torch.int8, torch.uint8, torch.bool)
    }
    tensors |= {"number": torch.tensor(3.0), "empty": torch.zeros(0, 4)}
    found = {item.name: item for item in weight_statistics(tensors)}
    assert found["torch.bfloat16"].dtype == "bfloat16" and found["torch.bool"].mean == 1.0
    assert (found["number"].shape, found["number"].largest) == ((), 3.0)
    assert (found["empty"].values, found["empty"].mean, found["empty"].levels) == (0, None, None)
