"""The pilot trains longer, then larger images, until scores say something of networks."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs

from archscope.datasets import load
from archscope.errors import OptionError
from archscope.ir import Graph
from archscope.language import document
from archscope.records.study import Job, TrialResult
from archscope.search.evaluation import Trainer
from archscope.search.pilot import Pilot, PilotSetting, run_pilot
from archscope.search.time_plan import Clock
from archscope.space.search_space import space

SPACE = "input: [1, 96, 96]\nlayers: [conv: !choice [2, 3], global_avgpool, flatten, linear: 10]\n"
IMAGES = "synthetic:classes=10,shape=1x80x80,images=2000,test=10"


class Learner:
    """An executor whose networks have learnt something after so many epochs at so large a side."""

    deadline: float | None = None
    workers = 2

    def __init__(self, epochs: int, side: int, failing: int = 999) -> None:
        self.epochs, self.side = epochs, side
        self.failing = failing  # the epochs from which on trainings fail
        self.trainer = Trainer(data=IMAGES)
        self.done: list[TrialResult] = []
        self.seen: list[tuple[int, int]] = []

    def submit(self, job: Job, graph: Graph) -> None:
        at = graph.inputs[0].out[1], self.trainer.recipe["epochs"]
        if at not in self.seen:
            self.seen.append(at)
        if at[1] >= self.failing:
            self.done.append(TrialResult(job.number, "failed", reason="out of memory"))
            return
        score = 0.6 if at[0] >= self.side and at[1] >= self.epochs else 0.11
        self.done.append(TrialResult(
            job.number, "trained", score, curve=(score,), losses=(1.0,), validated=500, chance=0.1,
            seconds=2.0, speed=100.0,
        ))  # fmt: skip

    def collect(self) -> TrialResult:
        return self.done.pop()

    def cancel(self) -> None:
        self.done.clear()

    def close(self, at_once: bool = False) -> None:
        pass


def pilot(learner: Learner, resolution: int | None = None, **recipe: Any) -> Pilot:
    read = document("small.yaml", text=SPACE.encode())
    networks = space(read)

    def graph_of(choices: dict[str, Any], side: int | None) -> Graph:
        return space(read, input=(1, side or 96, side or 96)).graph(choices)

    trainer = Trainer(data=IMAGES, recipe=recipe)
    return run_pilot(
        PilotSetting(
            learner, trainer, load(IMAGES), [networks.defaults], graph_of, 96, resolution,
            Clock(None),
        )
    )  # fmt: skip


def test_the_first_setting_that_leaves_chance_is_taken() -> None:
    learner = Learner(epochs=4, side=0)
    found = pilot(learner)
    assert (found.epochs, found.resolution) == (4, 64), "images of 80x80 begin at 64"
    assert learner.seen == [(64, 1), (64, 2), (64, 4)]
    assert found.about.endswith("at 64x64: scores leave chance (60.0 % against 10.0 %)")
    assert found.trainer(Trainer(data=IMAGES)).recipe == {"epochs": 4}


def test_what_is_given_is_not_chosen() -> None:
    assert pilot(Learner(1, 0), epochs=3).epochs == 3
    learner = Learner(2, 0)
    assert pilot(learner, resolution=40).resolution == 40
    assert pilot(Learner(1, 0), resolution=0).resolution is None
    assert {side for side, _ in learner.seen} == {40}


def test_scores_that_stay_at_chance_are_told() -> None:
    found = pilot(Learner(999, 999))
    assert "scores stay near chance (11.0 % against 10.0 %)" in found.about


def test_a_pilot_of_failures_is_an_error_and_not_a_study() -> None:
    with pytest.raises(OptionError, match=r"no network of the pilot could be .*: out of memory"):
        pilot(Learner(1, 0, failing=1))


def test_what_fails_when_trained_longer_is_not_taken() -> None:
    learner = Learner(8, 0, failing=4)
    found = pilot(learner)
    assert (found.epochs, found.scores) == (2, (0.11,))
    assert learner.seen[-1] == (64, 4)


def test_a_pilot_says_how_to_train() -> None:
    found = structs.replace(pilot(Learner(1, 0)), images=300)
    trainer = found.trainer(Trainer(data="digits", recipe={"batch": 16}))
    assert trainer.recipe == {"batch": 16, "epochs": found.epochs} and trainer.images == 300
