"""A winner is named only where seeds, chance and the baseline leave one."""

from __future__ import annotations

from random import Random

from msgspec import structs

from archscope.records.study import DeviceLatency, Finalist, Trial, TrialResult
from archscope.search.conclusion import Conclusion, conclusion
from archscope.search.device_latency import with_latencies
from archscope.search.reliability import Repeat

REPEATS = [Repeat(9, (0.50, 0.51)), Repeat(8, (0.60, 0.61)), Repeat(7, (0.55, 0.57))]


def final(number: int, *scores: float, macs: float = 1e6) -> Finalist:
    mean = sum(scores) / len(scores)
    return Finalist(number, {}, {"macs": macs}, mean, scores, mean, None, None, None, runs=("run",))


def concluded(*rows: Finalist, origin: str = "surrogate", chance: float = 0.1) -> Conclusion:
    trials = [
        Trial(
            row.trial, {}, "trained", origin, costs=row.costs,
            result=TrialResult(row.trial, "trained", row.mean, validated=500, chance=chance),
        )
        for row in rows
    ]  # fmt: skip
    return conclusion(rows, trials, REPEATS)


def test_a_clear_winner_is_named() -> None:
    found = concluded(final(3, 0.80, 0.81), final(5, 0.60, 0.62))
    assert found.verdict.startswith("trial 3 is the best with 80.5 %, 19.5 points above the next")
    assert found.tied == (3,)
    assert not any(row.tied for row in found.finalists)


def test_networks_that_seeds_do_not_tell_apart_are_tied_and_the_cheapest_is_named() -> None:
    rows = final(3, 0.80, 0.81), final(5, 0.80, 0.80, macs=5e5), final(6, 0.2, 0.2)
    found = concluded(*rows)
    assert found.tied == (3, 5)
    assert found.verdict.startswith("no winner: trials 3 and 5 are tied (they differ by 0.5 points")
    assert "the cheapest is trial 5 (500.0 K macs)" in found.verdict
    assert [row.tied for row in found.finalists] == [True, True, False]


def test_nothing_wins_at_chance() -> None:
    found = concluded(final(3, 0.11, 0.11), final(5, 0.02, 0.02))
    assert "no better than always guessing the most frequent class (10.0 %)" in found.verdict
    assert concluded(final(3, 0.6, 0.6), chance=0.6).verdict.startswith("no winner")


def test_a_best_that_the_search_did_not_propose_is_told() -> None:
    rows = final(3, 0.80, 0.81), final(5, 0.60, 0.62)
    assert "trial 3 belongs to the baseline" in concluded(*rows, origin="control").verdict
    assert "trial 3 is an anchor" in concluded(*rows, origin="anchor: largest").verdict


def test_of_single_trainings_nothing_is_known() -> None:
    rows = [final(3, 0.8), final(5, 0.6)]
    trials = [Trial(row.trial, {}, "trained", "tpe") for row in rows]
    found = conclusion(rows, trials, [])
    assert found.tied == (3, 5) and "each was trained once" in found.verdict


def test_equals_are_tied_and_their_intervals_hold() -> None:
    random = Random(1)
    cases, networks = 400, 4
    wins = outside = held = 0
    for _ in range(cases):
        seeds = [random.gauss(0.8, 0.02) for _ in range(2)]
        rows = [
            final(number, *(random.gauss(seed, 0.01) for seed in seeds))
            for number in range(networks)
        ]
        rows.sort(key=lambda row: -row.mean)
        trials = [Trial(row.trial, {}, "trained", "surrogate") for row in rows]
        found = conclusion(rows, trials, [])
        wins += len(found.tied) == 1
        outside += len(found.tied) < networks
        held += sum(row.low <= 0.8 <= row.high for row in found.finalists if row.low and row.high)
    assert wins <= 0.05 * cases
    assert 0.02 * cases < outside < 0.08 * cases, "5 % by Tukey's test; 14 % by t tests of pairs"
    assert held > 0.85 * cases * networks


def test_what_was_not_trained_again_has_no_interval() -> None:
    row = structs.replace(final(3, 0.8), runs=())
    trials = [Trial(3, {}, "trained", "tpe")]
    (found,) = conclusion([row], trials, REPEATS).finalists
    assert found.low is found.high is None
    (found,) = conclusion([final(3, 0.8)], trials, REPEATS).finalists
    assert found.low is not None and found.high is not None and found.low < 0.8 < found.high


def test_no_finalist_is_no_winner() -> None:
    assert "no network was trained to its end" in conclusion([], [], []).verdict


def over(row: Finalist, measured: float) -> Finalist:
    """Return a finalist that was measured under a budget of 5 ms, as `with_latencies` does."""
    latency = DeviceLatency("latency@a", "5ms@a", 4.0, 3.0, 5.0, measured, measured / 5 - 1)
    (found,) = with_latencies([row], [(latency,)])
    return found


def test_a_network_over_its_latency_budget_cannot_win() -> None:
    best, next_best, last = final(3, 0.80, 0.81), final(5, 0.70, 0.72), final(6, 0.20, 0.20)
    latencies = [over(best, 5.6).latency, over(next_best, 4.9).latency, over(last, 5.02).latency]
    rows = with_latencies([best, next_best, last], latencies)
    assert [(row.trial, row.misses) for row in rows] == [(5, False), (3, True), (6, True)]
    found = concluded(*rows)
    assert found.met and found.tied == (5,)
    assert found.verdict.startswith("trial 5 reached 71.0 %")
    assert "trial 3 (80.5 %) misses 5ms@a by 12 %" in found.verdict
    assert "trial 6 (20.0 %) misses 5ms@a by 0.4 %" in found.verdict
    none = concluded(over(best, 5.6), over(last, 8))
    assert not none.met and none.tied == ()
    assert none.verdict.startswith("no winner: no network that was measured holds its latency")
    assert "misses 5ms@a by 60 %" in none.verdict
