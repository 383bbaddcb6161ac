"""Guarantees of a study, with an executor that computes results from digests."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from archscope.contracts.samplers import LIMIT, STRATEGY, FakeExecutor, small
from archscope.errors import OptionError
from archscope.ir import Graph
from archscope.language import document
from archscope.latency.kernel_kinds import KINDS
from archscope.latency.predict import predict
from archscope.latency.profile import Error, Interval, Machine, Profile, keep, load
from archscope.records.study import Job, Trial, TrialResult
from archscope.search.distributions import parameters
from archscope.search.executor import DeadlineError
from archscope.search.priors import NotCoveredError
from archscope.search.strategy import Strategy
from archscope.search.study import Study
from archscope.space.budget import budget
from archscope.space.search_space import Space, space


@pytest.fixture(scope="module", name="small")
def small_space() -> Space:
    return small()


def run(
    space_: Space, strategy: Strategy = STRATEGY, trainings: int = 16, order: int | None = None
) -> tuple[Study, list[Trial]]:
    told: list[Trial] = []
    study = Study(space_, strategy, FakeExecutor(order), on_trial=told.append)
    study.run(trainings)
    assert told == study.trials
    return study, study.trials


def test_a_killed_study_loses_only_what_was_not_told(small: Space) -> None:
    _, whole = run(small)
    for cut in (0, 1, 13, len(whole) // 2):
        study = Study(small, STRATEGY, FakeExecutor())
        study.replay(whole[:cut])
        study.run(16)
        assert study.trials == whole


@pytest.mark.parametrize("lost", [{0}, {3}, {2, 3, 4}, {1, 9}])
def test_trials_whose_records_were_lost_happen_again(small: Space, lost: set[int]) -> None:
    _, whole = run(small)
    kept = [trial for trial in whole if trial.number not in lost]
    new: list[Trial] = []
    study = Study(small, STRATEGY, FakeExecutor(), on_trial=new.append)
    study.replay(kept)
    study.run(16)
    assert [trial.number for trial in study.trials] == list(range(len(study.trials)))
    assert new == study.trials
    by_number = {trial.number: trial for trial in study.trials}
    assert all(by_number[trial.number] == trial for trial in kept)
    assert sum(trial.trained for trial in study.trials) == 16


@pytest.mark.parametrize("sampler", ["random", "evolution", "uniform"])
def test_an_exhausted_study_does_not_grow(small: Space, sampler: str) -> None:
    strategy = structs.replace(STRATEGY, budgets=(budget("macs<=4.2K"),), sampler=sampler)
    _, whole = run(small, strategy, trainings=50)
    for cut in (len(whole), len(whole) - 7):
        study = Study(small, strategy, FakeExecutor())
        study.replay(whole[:cut])
        study.run(50)
        assert study.trials == whole


def test_the_baseline_has_its_share_and_anchors_come_first(small: Space) -> None:
    choices = dict(small.defaults)
    strategy = structs.replace(STRATEGY, anchors=(("mine", choices),), baseline=0.5)
    _, trials = run(small, strategy)
    assert trials[0].origin == "anchor: mine" and trials[0].choices == choices
    origins = Counter(trial.origin for trial in trials if trial.trained)
    assert 6 <= origins["control"] <= 10


def test_nothing_hangs_where_hardly_anything_fits(small: Space) -> None:
    least = budget("macs<=4.2K")
    _, trials = run(small, structs.replace(STRATEGY, budgets=(least,)), trainings=50)
    trained = [trial for trial in trials if trial.trained]
    assert 0 < len(trained) < 50  # the space holds no more of them
    assert all(one.costs["macs"] <= 4200 for one in trained)


def test_a_budget_that_nothing_fits_is_an_error(small: Space) -> None:
    with pytest.raises(OptionError, match=r"no network of .* was found within macs<=100"):
        run(small, structs.replace(STRATEGY, budgets=(budget("macs<=100"),)))


def test_a_rung_stops_the_worse_and_knows_only_what_was_told(small: Space) -> None:
    _, trials = run(small, structs.replace(STRATEGY, eta=2), trainings=24)
    outcomes = Counter(trial.outcome for trial in trials if trial.trained)
    assert outcomes["pruned"] > 3 and outcomes["trained"] > 3
    for order in range(2):
        again = run(small, structs.replace(STRATEGY, eta=2), trainings=24, order=order)[1]
        assert again == trials


def test_a_failed_network_counts_as_trained_and_teaches_nothing(small: Space) -> None:
    class Broken(FakeExecutor):
        def result(self, job: Job) -> TrialResult:
            if int(job.digest[-1], 16) % 2:
                return TrialResult(job.number, "failed", reason="its process died")
            return super().result(job)

    study = Study(small, STRATEGY, Broken())
    study.run(12)
    outcomes = Counter(trial.outcome for trial in study.trials if trial.trained)
    assert outcomes["failed"] and outcomes["trained"]
    assert not any(trial.values for trial in study.trials if trial.outcome == "failed")
    states = Counter(trial.state.name for trial in study.learner.study.get_trials(deepcopy=False))
    assert states["RUNNING"] == states["WAITING"] == 0


def test_the_best_of_several_by_proxies_is_trained(small: Space) -> None:
    seen: list[float] = []

    def proxy_scores(graph: Graph) -> dict[str, float]:
        macs = float(sum(facts.macs for facts in graph.facts.values()))
        seen.append(macs)
        return {"macs": macs}

    strategy = structs.replace(STRATEGY, prescreen=4, baseline=0.0)
    study = Study(small, strategy, FakeExecutor(), proxy_scores=proxy_scores)
    study.run(5)
    trained = [trial.costs["macs"] for trial in study.trials if trial.trained]
    assert trained == [max(seen[at : at + 4]) for at in range(0, 20, 4)]
    assert sum(trial.outcome == "passed" for trial in study.trials) == 15


def of_macs(graph: Graph) -> dict[str, float]:
    return {"macs": float(sum(facts.macs for facts in graph.facts.values()))}


@pytest.mark.parametrize("sampler", ["random", "uniform"])
def test_prescreening_trains_the_last_networks_of_a_space_too(sampler: str) -> None:
    text = "input: [3, 8, 8]\nlayers: [{conv: !choice [2, 4, 6, 8, 10]}]"
    few = space(document("few.yaml", text=text.encode()))
    strategy = structs.replace(
        STRATEGY, budgets=(), sampler=sampler, baseline=0.0, prescreen=4, lag=1
    )
    study = Study(few, strategy, FakeExecutor(), proxy_scores=of_macs)
    study.run(50)
    assert sum(trial.trained for trial in study.trials) == 5
    for cut in range(0, len(study.trials), 7):
        again = Study(few, strategy, FakeExecutor(), proxy_scores=of_macs)
        again.replay(study.trials[:cut])
        again.run(50)
        assert sum(trial.trained for trial in again.trials) == 5


@pytest.mark.parametrize("first", [1, 3])
def test_a_prescreened_study_is_resumed_as_well(small: Space, first: int) -> None:
    def proxy_scores(graph: Graph) -> dict[str, float]:
        return {"macs": float(sum(facts.macs for facts in graph.facts.values()))}

    strategy = structs.replace(STRATEGY, prescreen=3)
    whole = Study(small, strategy, FakeExecutor(), proxy_scores=proxy_scores)
    whole.run(8)
    study = Study(small, strategy, FakeExecutor(), proxy_scores=proxy_scores)
    begun = Study(small, strategy, FakeExecutor(), proxy_scores=proxy_scores)
    begun.run(first)
    study.replay(begun.trials)
    study.run(8)
    assert study.trials == whole.trials


def test_latency_of_a_profile_is_predicted_not_measured(small: Space, tmp_path: Path) -> None:
    profile = Profile(
        name="board",
        machine=Machine("a board"),
        runtime="onnxruntime",
        fusion="onnxruntime",
        kinds={kind: {"macs": 1.0} for kind in KINDS},
        error=Error(1, 1, 0.1, 0.1, 0.5),
        interval=Interval(-0.1, 0.1),
    )
    path = keep(profile, tmp_path / "board.json")

    def measure(name: str, graph: Graph) -> float:
        raise AssertionError("nothing is measured")

    limit = budget(f"1000ms@{path}")
    assert "predicted for a board" in limit.meaning()
    strategy = structs.replace(STRATEGY, budgets=(LIMIT, limit))
    study = Study(small, strategy, FakeExecutor(), measure=measure)
    study.run(3)
    trained = [trial for trial in study.trials if trial.trained]
    assert len(trained) == 3
    for trial in trained:
        graph = small.graph(trial.choices)
        predicted = predict(load(str(path)), graph).milliseconds
        assert trial.costs["latency"] == pytest.approx(predicted, rel=1e-6)
        assert trial.costs[limit.cost] == trial.costs["latency"]
        assert trial.excess[limit.text] <= 0


def test_latency_is_measured_once_for_each_network(small: Space) -> None:
    calls: list[int] = []

    def measure(name: str, graph: Graph) -> float:
        calls.append(1)
        return sum(facts.macs for facts in graph.facts.values()) / 10_000

    strategy = structs.replace(STRATEGY, budgets=(LIMIT, budget("4ms@cpu")))
    study = Study(small, strategy, FakeExecutor(), measure=measure)
    study.run(10)
    trained = [trial for trial in study.trials if trial.trained]
    assert len(trained) == 10
    assert all(one.costs["latency"] <= 4 for one in trained)
    assert len(calls) == len({trial.digest for trial in study.trials if trial.digest})


@pytest.mark.parametrize("cost", ["macs", "weights", "peak"])
def test_several_objectives(small: Space, cost: str) -> None:
    strategy = structs.replace(STRATEGY, objectives=("accuracy", cost))
    _, trials = run(small, strategy)
    assert all(len(trial.values) == 2 for trial in trials if trial.trained)
    assert all(trial.values[1] == trial.costs[cost] > 0 for trial in trials if trial.trained)


def test_parameters_of_ordered_numbers_are_their_places(small: Space) -> None:
    path = next(decision.path for decision in small.decisions if decision.path.endswith("width"))
    assert parameters(small, {**small.defaults, path: 8})[path] == 2


def test_what_is_not_ready_at_the_deadline_is_trained_when_it_is_resumed(small: Space) -> None:
    class Late(FakeExecutor):
        left = 9

        def collect(self) -> TrialResult:
            self.left -= 1
            if self.left < 0:
                raise DeadlineError
            return super().collect()

    _, whole = run(small)
    begun = Study(small, STRATEGY, Late())
    begun.run(16)
    trained = [trial for trial in begun.trials if trial.trained]
    assert len(trained) == begun.history.trainings == 9
    assert begun.trials == whole[: len(begun.trials)]
    study = Study(small, STRATEGY, FakeExecutor())
    study.replay(begun.trials)
    study.run(16)
    assert study.trials == whole


def test_a_training_begins_with_the_weights_of_the_nearest_that_is_told(small: Space) -> None:
    jobs: list[Job] = []

    class Listed(FakeExecutor):
        def submit(self, job: Job, graph: Graph) -> None:
            jobs.append(job)
            super().submit(job, graph)

    study = Study(small, STRATEGY, Listed(), weights=Path("weights"))
    study.run(12)
    trials = {trial.number: trial for trial in study.trials}
    assert [job.inherit for job in jobs[:4]] == [None] * 4, "nothing is told yet"
    for job in jobs[4:]:
        assert job.leave == f"weights/trial{job.number}.safetensors"
        assert job.inherit is not None
        from_ = trials[int(job.inherit.removeprefix("weights/trial").split(".")[0])]
        own = trials[job.number].choices
        assert from_.number < job.number

        def apart(other: Trial, own: dict[str, Any] = own) -> int:
            return sum(other.choices[path] != value for path, value in own.items())

        told = [trials[one.number] for one in jobs[: jobs.index(job) - 3]]
        assert apart(from_) == min(map(apart, told))


class PriorOfNarrowNetworks:
    """A prior that covers networks whose first layer has four channels, and prefers large ones."""

    factors = None

    def __init__(self, networks: Space) -> None:
        self.networks = networks

    def accuracy(self, choices: dict[str, Any]) -> float:
        graph = self.networks.graph(choices)
        if graph.nodes[1].out[0] != 4:
            raise NotCoveredError("too wide")
        return of_macs(graph)["macs"] / 1e6


def test_networks_that_a_prior_does_not_cover_are_trained_without_a_prediction(
    small: Space,
) -> None:
    prior: Any = PriorOfNarrowNetworks(small)
    strategy = structs.replace(STRATEGY, prescreen=3)
    study = Study(small, strategy, FakeExecutor(), prior=prior)
    study.run(8)
    proposed = [trial for trial in study.trials if trial.trained or trial.outcome == "passed"]
    covered = {trial.number for trial in proposed if trial.predicted is not None}
    assert {trial.trained for trial in proposed if trial.number not in covered} == {True, False}
    assert covered and sum(trial.trained for trial in study.trials) == 8
