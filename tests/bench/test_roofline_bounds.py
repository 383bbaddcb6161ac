from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from archscope.bench.machine import Machine
from archscope.bench.roofline import BOUNDS, Roofline
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
def test_the_bottleneck_is_the_largest_bound(roof: Roofline, macs: int, moved: int) -> None:
    bounds = roof.lower_bounds(macs, moved)
    name, seconds = roof.bottleneck(macs, moved)
    assert bounds[name] == max(bounds.values()) == seconds


@given(roofs)
def test_what_does_nothing_is_bound_by_its_call(roof: Roofline) -> None:
    assert roof.bottleneck(0, 0) == ("overhead", roof.overhead_seconds)


@given(roofs, st.integers(1, 10**9), st.integers(1, 10**9))
def test_large_layers_divide_at_the_ridge(roof: Roofline, macs: int, moved: int) -> None:
    factor = 10**15  # beyond any overhead
    intensity = macs / moved
    if abs(intensity / roof.ridge - 1) > 1e-9:
        expected = "compute" if intensity > roof.ridge else "memory"
        assert roof.bottleneck(macs * factor, moved * factor)[0] == expected


@given(roofs, amount, amount, st.integers(1, 1000))
def test_larger_batches_never_become_bound_by_their_call(
    roof: Roofline, macs: int, moved: int, batch: int
) -> None:
    name, seconds = roof.bottleneck(macs, moved)
    batch_name, batch_seconds = roof.bottleneck(macs * batch, moved * batch)
    if name != "overhead":
        assert batch_name != "overhead"
    assert batch_seconds >= seconds


def test_names() -> None:
    roof = roofline_of(PLACE, gmacs=10.0, gbytes=10.0, overhead=1e-5)
    costs = ((10**6, 1), (1, 10**6), (1, 1))
    assert tuple(roof.bottleneck(*cost)[0] for cost in costs) == BOUNDS
