from __future__ import annotations

import gc
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.benchmark import timer

from archscope.bench.timing import MIN_TURNS, TURN, WARM_UP, clock_of, measure, quartiles, timing
from tests.bench.conftest import Clock


def test_one_call_is_made_until_its_time_is_over() -> None:
    clock = Clock()
    (turns,) = measure([clock.taking(0.01)], 1.0, clock)
    counted = [seconds for turn in turns for seconds in turn]
    assert counted == pytest.approx([0.01] * len(counted))
    assert 1.0 <= sum(counted) < 1.0 + TURN
    assert clock.now - sum(counted) == pytest.approx(WARM_UP, abs=0.011)


def test_calls_take_turns() -> None:
    clock, log = Clock(), []
    measure([clock.taking(2 * TURN, log, name) for name in "ab"], 7 * TURN, clock)
    warm_up, measured = log[:2], log[2:]
    assert warm_up == ["a", "b"]
    assert measured == ["a", "b"] * 4


def test_a_drifting_machine_is_unfair_to_none() -> None:
    clock = Clock()

    def drifting() -> None:
        clock.now += 0.01 * (1 + clock.now)

    first, second = measure([drifting, drifting], 2.0, clock)
    apart = timing(second).median_seconds / timing(first).median_seconds
    assert 1 < apart < 1.05  # one after the other they would be apart by more than half


def test_the_first_call_of_a_turn_does_not_count_where_several_take_turns() -> None:
    clock = Clock()
    caches = {"owner": ""}

    def call(name: str) -> None:
        clock.now += 0.01 if caches["owner"] == name else 0.03
        caches["owner"] = name

    turns = measure([lambda: call("a"), lambda: call("b")], 0.5, clock)
    for turn in turns:
        assert timing(turn).upper_quartile_seconds == pytest.approx(0.01)


def test_a_call_longer_than_a_turn_counts_and_drops_out_when_its_time_is_over() -> None:
    clock, log = Clock(), []
    slow, fast = measure(
        [clock.taking(5.0, log, "slow"), clock.taking(0.01, log, "fast")], 1.0, clock
    )
    assert len(slow) == MIN_TURNS
    assert timing(slow).median_seconds == pytest.approx(5.0)
    assert len(fast) > MIN_TURNS
    assert log[-1] == "fast"


def test_progress_ends_with_everything_done() -> None:
    clock, shares = Clock(), []
    measure([clock.taking(0.01)], 0.5, clock, shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_the_collector_runs_again_afterwards_even_if_a_call_fails() -> None:
    def fail() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure([fail], 1.0, Clock())
    assert gc.isenabled()


@given(st.lists(st.floats(1e-6, 1e3), min_size=1, max_size=50))
def test_quartiles_are_numpys(values: list[float]) -> None:
    expected = np.percentile(values, [50, 25, 75])
    assert quartiles(values) == pytest.approx(tuple(expected))


def test_timing_of_all_turns() -> None:
    found = timing(((1.0, 2.0), (3.0,), (4.0, 5.0)))
    assert (found.median_seconds, found.fastest_seconds, found.runs) == (3.0, 1.0, 5)
    assert found.spread == pytest.approx(2 / 3)


def test_only_the_clock_of_a_gpu_waits_for_it() -> None:
    assert clock_of("cpu") is time.perf_counter
    assert clock_of("cuda") is timer
    assert clock_of("cpu", processor_time=True) is time.thread_time
