"""A study's assessment of its own ranking."""

from __future__ import annotations

import pytest
from msgspec import structs

from archscope.records.study import Finalist, Trial, TrialResult
from archscope.search.reliability import Repeat, notes, reliability, repeated, seeds_of


def trial(number: int, score: float, origin: str = "tpe", params: float = 0.0) -> Trial:
    result = TrialResult(number, "trained", score, {"top1": score})
    costs = {"params": params or score, "macs": -score}
    return Trial(number, {}, "trained", origin, costs=costs, result=result)


TRIALS = [trial(number, 0.3 + 0.05 * number) for number in range(8)]


def test_anchors_are_repeated_then_some_of_every_score() -> None:
    trials = [trial(0, 0.5, "anchor: smallest"), *TRIALS[1:]]
    assert [one.number for one in repeated(trials)] == [0, 7, 4, 1]
    assert repeated([]) == [] and len(repeated(trials, 1)) == 1
    assert len(repeated(TRIALS[:2])) == 2


def test_seeds_that_agree_make_a_reliable_ranking() -> None:
    pairs = [Repeat(n, (0.3 + 0.05 * n, 0.32 + 0.05 * n)) for n in range(4)]
    found = reliability(TRIALS, pairs, ["a note"])
    assert found.agreement == pytest.approx(1)
    assert found.noise == pytest.approx(0, abs=1e-9), "all are better with the other seed"
    assert found.consistency == pytest.approx(1)
    assert found.close == 1
    assert found.correlations == {"params": pytest.approx(1), "macs": pytest.approx(-1)}
    assert found.sentence.startswith("two seeds rank 4 networks with a correlation of 1.00")
    assert found.sentence.endswith(
        "rank correlation of the score with params 1.00, macs -1.00; a note"
    )


def test_seeds_that_disagree_make_none() -> None:
    pairs = [Repeat(0, (0.3, 0.6)), Repeat(1, (0.6, 0.3)), Repeat(2, (0.3, 0.5))]
    found = reliability(TRIALS[:4], pairs, [])
    assert found.consistency == 0.0 and found.close == 4
    assert "4 of 4 are not significantly worse than the best (95 %)" in found.sentence
    assert found.agreement is not None and found.agreement < 0


def test_a_prior_is_compared_with_the_scores() -> None:
    trials = [structs.replace(one, predicted=-float(one.number)) for one in TRIALS]
    trials[0] = structs.replace(trials[0], predicted=None)  # the prior does not cover it
    found = reliability(trials, [], [])
    assert found.correlations["prior"] == pytest.approx(-1)
    assert found.sentence.endswith(
        "rank correlation of the score with params 1.00, macs -1.00, prior -1.00"
    )


def test_last_trainings_stand_for_repeats_that_there_was_no_time_for() -> None:
    def final(number: int, *scores: float) -> Finalist:
        return Finalist(number, {}, {}, 0.5, scores, 0.5, None, 0.5, 0.5)

    rows = seeds_of([final(1, 0.5, 0.6), final(2, 0.4, 0.3), final(3, 0.2)])
    assert rows == (Repeat(1, (0.5, 0.6)), Repeat(2, (0.4, 0.3)))
    assert seeds_of([final(1, 0.5)]) == seeds_of([]) == ()
    assert reliability(TRIALS, rows, []).noise == pytest.approx(0.1)


def test_guesses_rank_nothing() -> None:
    results = [TrialResult(n, "trained", 0.1, validated=500, chance=0.1) for n in range(3)]
    trials = [
        structs.replace(one, result=result) for one, result in zip(TRIALS[:3], results, strict=True)
    ]
    trials.append(TRIALS[7])  # one network has learnt something
    pairs = [Repeat(0, (0.1, 0.1)), Repeat(1, (0.1, 0.1))]
    found = reliability(trials, pairs, [])
    assert found.consistency is found.close is None
    assert "no better than guessing, so they rank nothing" in found.sentence


def test_nothing_is_made_up() -> None:
    found = reliability([], [], [])
    assert (found.noise, found.spread, found.agreement, found.correlations) == (None,) * 3 + ({},)
    assert "was not measured" in found.sentence


def test_notes_say_where_training_and_deployment_differ() -> None:
    (note,) = notes("fashion-mnist", (3, 224, 224), (3, 32, 32), (1, 28, 28))
    assert note.startswith("costs are those at 224x224, scores those of 28x28 images trained at")
    assert notes("folder:mine", (3, 224, 224), (3, 192, 192), (3, 300, 400)) == []
    assert "demonstration" in notes("digits", (1, 8, 8), (1, 8, 8), (1, 8, 8))[0]
