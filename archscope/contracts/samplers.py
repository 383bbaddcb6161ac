"""The contract of samplers: studies end, are reproducible, and can be resumed.

Networks of a small space are scored by a fixed function of their choices.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from random import Random
from typing import Any, get_args

from msgspec import structs

from archscope.contracts.check import Check, expect
from archscope.ir import Graph
from archscope.language import document
from archscope.records.score_metric import Direction, ScoreMetric
from archscope.records.study import Job, Trial, TrialResult
from archscope.search.samplers import about
from archscope.search.strategy import Strategy
from archscope.search.study import Study
from archscope.space.budget import budget
from archscope.space.search_space import Space, space

SPACE = """
input: [3, 16, 16]
blocks:
  layer:
    with: {width: !choice [4, 6, 8, 12], kernel: !choice [1, 3, 5], act: !choice [relu, gelu]}
    layers:
      - conv: {out: =width, kernel: =kernel, padding: =kernel//2}
      - relu: {}
        when: =act == 'relu'
        else: gelu
layers:
  - layer: {}
    repeat: !int {low: 1, high: 3}
  - global_avgpool
  - flatten
  - linear: 4
"""
LIMIT = budget("60KMACs")
MOST = 60_000
STRATEGY = Strategy(budgets=(LIMIT,), sampler="random", seed=3, baseline=0.25)
TRAININGS = 12


@cache
def small() -> Space:
    """Return a space of a few thousand networks."""
    return space(document("small.yaml", text=SPACE.encode()))


class FakeExecutor:
    """Scores networks by a fixed function of their choices, in an order given by a seed.

    With `minimized`, the score is the negative value, so that lower is better.
    """

    def __init__(self, order: int | None = None, minimized: bool = False) -> None:
        self.jobs: list[Job] = []
        self.sign = -1 if minimized else 1
        self.order = None if order is None else Random(order)  # noqa: S311  (no secret)

    def submit(self, job: Job, graph: Graph) -> None:
        """Take a job."""
        self.jobs.append(job)

    def close(self, at_once: bool = False) -> None:
        """Drop the jobs."""
        self.jobs.clear()

    def collect(self) -> TrialResult:
        """Return the result of one of the jobs."""
        place = self.order.randrange(len(self.jobs)) if self.order else 0
        return self.result(self.jobs.pop(place))

    def result(self, job: Job) -> TrialResult:
        """Return the score of a network, or a pruned result."""
        score = int(job.digest[:8], 16) / 16**8
        curve = (score / 2, score * 0.9, score)
        losses = tuple(1 - value for value in curve)
        known = TrialResult(
            job.number, "trained", self.sign * score, {"top1": self.sign * score}, curve,
            losses=losses, validated=1000, chance=0.01,
        )  # fmt: skip
        for epoch, most in job.rungs:
            if losses[epoch - 1] > most:
                return structs.replace(
                    known, outcome="pruned", score=self.sign * curve[epoch - 1], scores={},
                    curve=curve[:epoch], losses=losses[:epoch],
                )  # fmt: skip
        return known


def trials_of(
    networks: Space, strategy: Strategy, trainings: int = TRAININGS, order: int | None = None
) -> list[Trial]:
    """Return the trials of a study whose results come in an order given by a seed."""
    study = Study(networks, strategy, FakeExecutor(order))
    study.run(trainings)
    return study.trials


def strategy_of(name: str, **changes: Any) -> Strategy:
    """Return the strategy of a study with a sampler."""
    return structs.replace(STRATEGY, sampler=name, **changes)


def checks(name: str, file: Path | None = None) -> Iterator[Check]:
    """Yield the checks of a sampler."""
    yield Check("help", partial(says_what_it_does, name))
    yield Check("trainings", partial(trains_new_networks, name))
    yield Check("seed", partial(is_decided_by_the_seed, name))
    yield Check("order of results", partial(is_free_of_the_order, name))
    yield Check("resumed study", partial(resumes, name))
    yield Check(
        "resumed study of two objectives", partial(resumes, name, objectives=("accuracy", "macs"))
    )
    yield Check("direction of scores", partial(heeds_the_direction, name))
    yield Check("no budget", partial(works_without_a_budget, name))


def says_what_it_does(name: str) -> None:
    """Check the line for the help."""
    line = about(name)
    expect(line and not line.endswith("."), "ABOUT must be a phrase without a full stop")


def trains_new_networks(name: str, **changes: Any) -> None:
    """Check that the study ends, and that it trains new networks within the budget."""
    trials = trials_of(small(), strategy_of(name, **changes), 16)
    trained = [trial for trial in trials if trial.trained]
    expect(len(trained) == 16, f"expected 16 trainings, got {len(trained)}")
    inside = all(trial.costs["macs"] <= MOST and trial.values for trial in trained)
    expect(inside, "a network over the budget was trained")
    expect(len({trial.digest for trial in trained}) == 16, "a network was trained twice")
    numbers = [trial.number for trial in trials]
    expect(numbers == list(range(len(trials))), "trials are not numbered in order")
    origins = {trial.origin for trial in trials}
    expect(name in origins, "none of its proposals was taken, while 16 networks were trained")
    expect(origins <= {name, "repair", "control"}, f"proposals are of {', '.join(origins)}")
    for trial in trials:
        if trial.outcome == "known":
            original = trials[trial.same_as or 0]
            same = original.digest == trial.digest and original.values == trial.values
            expect(same, "a network that is known has another result")


def is_decided_by_the_seed(name: str, **changes: Any) -> None:
    """Check that the seed, and only the seed, determines a study."""
    strategy = strategy_of(name, **changes)
    trials = trials_of(small(), strategy)
    again = trials_of(small(), strategy)
    expect(
        again == trials, "the same seed gives another study; take randomness from context.seed()"
    )
    others = trials_of(small(), structs.replace(strategy, seed=4))
    differ = [trial.choices for trial in others] != [trial.choices for trial in trials]
    expect(differ, "another seed gives the same study")


def is_free_of_the_order(name: str, **changes: Any) -> None:
    """Check that the order in which workers finish does not matter."""
    strategy = strategy_of(name, **changes)
    trials = trials_of(small(), strategy)
    for order in range(2):
        expect(trials_of(small(), strategy, order=order) == trials, "the order of results matters")


def resumes(name: str, **changes: Any) -> None:
    """Check that 1 and 11 trainings, or 6 and 6, give the same study as 12."""
    strategy = strategy_of(name, **changes)
    whole = trials_of(small(), strategy)
    for first in (1, 6):
        study = Study(small(), strategy, FakeExecutor())
        study.replay(trials_of(small(), strategy, first))
        study.run(TRAININGS)
        expect(study.trials == whole, "a resumed study differs; the sampler keeps state of its own")


def heeds_the_direction(name: str) -> None:
    """Check that minimising a score gives the study of maximising its negative."""
    studies = []
    for direction in get_args(Direction):
        strategy = strategy_of(name, score=ScoreMetric("accuracy", direction))
        study = Study(small(), strategy, FakeExecutor(minimized=direction == "minimize"))
        study.run(2 * TRAININGS)
        studies.append([trial.choices for trial in study.trials])
    expect(
        studies[0] == studies[1],
        "the direction of scores is not heeded; compare trials by context.strategy.gains",
    )


def works_without_a_budget(name: str) -> None:
    """Check a study without a budget and without a baseline."""
    trials = trials_of(small(), strategy_of(name, budgets=(), baseline=0.0), 10)
    trained = sum(trial.trained for trial in trials)
    expect(trained == 10, f"expected 10 trainings, got {trained}")
    expect("control" not in {trial.origin for trial in trials}, "there must be no baseline")
