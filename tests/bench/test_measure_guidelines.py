from __future__ import annotations

import msgspec
import pytest

from archscope.bench.measure_guidelines import (
    EQUAL,
    FASTER,
    ROUNDS,
    SLOWER,
    Guidelines,
    guidelines,
    paper_outcome,
    speed_ratio,
)
from archscope.errors import OptionError
from tests.bench.conftest import Clock


def test_ratios_are_taken_round_by_round() -> None:
    # The machine becomes three times as slow; the ratio in each round stays 0.5.
    baseline = ((1.0, 1.0), (2.0, 2.0), (3.0, 3.0))
    variant = ((2.0,), (9.0, 4.0, 7.0), (6.0, 6.5))
    found = speed_ratio(variant, baseline)
    assert (found.median, found.lower_quartile, found.upper_quartile) == (0.5, 0.5, 0.5)
    assert (found.rounds, found.outcome) == (3, SLOWER)


def test_outcomes() -> None:
    baseline = ((1.0,),) * 4
    assert speed_ratio(((0.5,), (0.6,), (0.5,), (0.6,)), baseline).outcome == FASTER
    assert speed_ratio(((0.5,), (2.0,), (0.5,), (2.0,)), baseline).outcome == EQUAL
    assert speed_ratio(baseline, baseline).outcome == EQUAL


def test_rounds_that_one_of_two_has_not_do_not_count() -> None:
    assert speed_ratio(((2.0,),) * 5, ((1.0,),) * 3).rounds == 3


@pytest.mark.parametrize(
    "ratio, outcome", [(0.97, SLOWER), (0.99, EQUAL), (1.0, EQUAL), (1.01, EQUAL), (1.03, FASTER)]
)
def test_what_the_paper_says(ratio: float, outcome: str) -> None:
    assert paper_outcome(ratio) == outcome


@pytest.fixture(scope="module")
def result() -> Guidelines:
    """On a clock that finds everything equally fast."""
    return guidelines(scale=1, device="cpu", threads=1, seconds=0.0, clock=Clock(0.1))


def test_on_a_machine_where_only_calls_count_nothing_differs(result: Guidelines) -> None:
    for experiment in result.experiments:
        baseline, *others = experiment.variants
        assert (baseline.speed, baseline.outcome, baseline.paper_outcome) == (None, "", "")
        assert baseline.macs_ratio == baseline.memory_access_ratio == 1.0
        for other in others:
            assert other.speed is not None
            assert other.speed.rounds >= ROUNDS
            assert other.outcome == EQUAL
        assert experiment.compared == len(others)
        agreeing = [other for other in others if other.paper_outcome == EQUAL]
        assert experiment.agreeing == len(agreeing)
        assert f"on {len(agreeing)} of {len(others)}" in experiment.sentence
        for other in others:
            assert (f"{other.name} is no different here" in experiment.sentence) == (
                other not in agreeing
            )


def test_json_is_read_back(result: Guidelines) -> None:
    assert result.platform == "ARM"
    assert msgspec.json.decode(msgspec.json.encode(result), type=Guidelines) == result


def test_a_wrong_scale() -> None:
    with pytest.raises(OptionError):
        guidelines(scale=8, device="cpu")
