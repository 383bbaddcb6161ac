from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from archscope.bench.bottleneck import BOUNDS, bound, floors, least_seconds
from archscope.bench.machine import Machine
from archscope.bench.roofline import Roofline
from tests.bench.conftest import roofline_of

PLACE = Machine("cpu", "test", 2, "0")
rate = st.floats(0.01, 1e6)
roofs = st.builds(
    lambda gmacs, gbytes, overhead: roofline_of(
        PLACE, gmacs=gmacs, gbytes=gbytes, overhead=overhead
    ),
    rate, rate, st.floats(1e-8, 1e-2),
)  # fmt: skip
amount = st.integers(0, 10**15)


@given(roofs, amount, amount)
def test_the_bound_is_the_highest_floor(roof: Roofline, macs: int, moved: int) -> None:
    found = floors(roof, macs, moved)
    assert (
        found[bound(roof, macs, moved)] == max(found.values()) == least_seconds(roof, macs, moved)
    )


@given(roofs)
def test_what_does_nothing_is_bound_by_its_call(roof: Roofline) -> None:
    assert bound(roof, 0, 0) == "overhead"
    assert least_seconds(roof, 0, 0) == roof.overhead_seconds


@given(roofs, st.integers(1, 10**9), st.integers(1, 10**9))
def test_large_layers_divide_at_the_ridge(roof: Roofline, macs: int, moved: int) -> None:
    factor = 10**15  # beyond any overhead
    intensity = macs / moved
    if abs(intensity / roof.ridge - 1) > 1e-9:
        expected = "compute" if intensity > roof.ridge else "memory"
        assert bound(roof, macs * factor, moved * factor) == expected


@given(roofs, amount, amount, st.integers(1, 1000))
def test_larger_batches_never_become_bound_by_their_call(
    roof: Roofline, macs: int, moved: int, batch: int
) -> None:
    if bound(roof, macs, moved) != "overhead":
        assert bound(roof, macs * batch, moved * batch) != "overhead"
    assert least_seconds(roof, macs * batch, moved * batch) >= least_seconds(roof, macs, moved)


def test_names() -> None:
    roof = roofline_of(PLACE, gmacs=10.0, gbytes=10.0, overhead=1e-5)
    assert [bound(roof, 10**6, 1), bound(roof, 1, 10**6), bound(roof, 1, 1)] == list(BOUNDS)
