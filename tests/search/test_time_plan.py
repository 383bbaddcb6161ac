"""The time of a search is divided so that the plan fits into it."""

from __future__ import annotations

from math import inf

from hypothesis import given
from hypothesis import strategies as st

from archscope.search.time_plan import Clock, FinalPlan, time_plan

FINALS = st.builds(FinalPlan, st.integers(1, 5), st.integers(1, 4), st.integers(1, 4))


@given(FINALS, st.floats(0.1, 100), st.integers(1, 8), st.floats(1, 5000))
def test_the_largest_final_plan_that_fits_is_taken(
    wanted: FinalPlan, training: float, workers: int, left: float
) -> None:
    found = wanted.fitting(training, workers, left)
    smallest = FinalPlan(1, 1, 1).seconds(training, workers)
    assert (found is None) == (smallest > left)
    if found is not None:
        assert found.seconds(training, workers) <= left
        assert found.seconds(training, workers) <= wanted.seconds(training, workers)
    if wanted.seconds(training, workers) <= left:
        assert found == wanted


@given(
    FINALS, st.floats(0.1, 300), st.integers(1, 8), st.integers(1, 60), st.integers(0, 4),
    st.floats(5, 5000),
)  # fmt: skip
def test_a_plan_ends_in_time(
    finals: FinalPlan, training: float, workers: int, trainings: int, repeats: int, limit: float
) -> None:
    clock = Clock(limit, lambda: 0.0)
    plan = time_plan(clock, training, workers, trainings, 0, repeats, finals)
    assert plan.seconds <= clock.left + 1e-6
    assert plan.trainings <= trainings and plan.repeats <= repeats
    free = time_plan(Clock(None, lambda: 0.0), training, workers, trainings, 0, repeats, finals)
    assert (free.trainings, free.repeats, free.finals) == (trainings, repeats, finals)


def test_a_clock_without_a_limit_has_no_deadline() -> None:
    assert Clock(None).left == inf
    assert Clock(None).deadline() is None
    assert Clock(None).deadline(5.0) is not None
    limited = Clock(100.0)
    deadline = limited.deadline(500.0)
    assert deadline is not None and limited.began < deadline <= limited.began + 98.0


def test_a_limit_shorter_than_the_margin_is_not_over_at_once() -> None:
    times = iter([0.0, 1.0, 1.0, 2.0])
    clock = Clock(2.0, lambda: next(times))
    assert (clock.left <= 0, clock.is_over, clock.is_over) == (True, False, True)
    assert not Clock(None).is_over
