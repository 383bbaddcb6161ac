"""What importers share to recognise operators of other frameworks."""

from __future__ import annotations

import math
import struct

import pytest

from archscope.ops.foreign import round_float

LARGEST = 3.4028234663852886e38


@pytest.mark.parametrize(
    ("value", "short"),
    [(9.999999747378752e-06, 1e-05), (0.10000000149011612, 0.1), (0.0, 0.0), (math.inf, math.inf),
     (LARGEST, 3.4028235e38), (-LARGEST, -3.4028235e38), (1e300, 1e300)],
)  # fmt: skip
def test_numbers_in_single_precision_are_short(value: float, short: float) -> None:
    assert round_float(value) == short
    if abs(value) < 1e100:
        assert struct.pack("f", short) == struct.pack("f", value)


def test_what_is_no_number_stays() -> None:
    assert math.isnan(round_float(math.nan))
