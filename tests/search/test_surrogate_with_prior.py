"""What a prior does for the surrogate: it finds what the prior expects, unless trainings say no."""

from __future__ import annotations

import numpy as np
import pytest

from archscope.language import document
from archscope.search import priors
from archscope.search.prior_executor import PriorExecutor
from archscope.search.prior_model import PriorModel
from archscope.search.score_model import Line, Surrogate
from archscope.search.strategy import Strategy
from archscope.search.study import Study
from archscope.space.costs import CostModel
from archscope.space.feasible import FeasibleSet
from archscope.space.rows import Rows
from archscope.space.search_space import space
from tests.search.test_prior_model import UNITS


@pytest.fixture(scope="module")
def model() -> PriorModel:
    return PriorModel(priors.load("imagenet"), space(document("units.yaml", text=UNITS.encode())))


def proposed(model: PriorModel, prior: PriorModel | None, sign: int) -> Rows:
    """Return the next of a study whose scores rise, or fall, as the prior says."""
    feasible = FeasibleSet(model.space, (), CostModel(model.space))
    surrogate = Surrogate(feasible, 0, prior)
    rows = feasible.draw(4, np.random.default_rng(3))
    scores = sign * model.accuracies(rows) / 100
    row = surrogate.propose(rows, scores, rows[:0], rows, 4)
    assert row is not None
    return row


def test_prior_is_followed_where_scores_agree(model: PriorModel) -> None:
    every = FeasibleSet(model.space, (), CostModel(model.space)).draw(400, np.random.default_rng(0))
    best = model.accuracies(every).max()
    with_prior = model.accuracies(proposed(model, model, 1)[None])[0]
    assert with_prior == pytest.approx(best)


def test_prior_is_left_where_scores_say_the_opposite(model: PriorModel) -> None:
    assert (proposed(model, model, -1) == proposed(model, None, -1)).all()


def test_line_never_falls_and_needs_evidence() -> None:
    predicted = np.array([1.0, 2.0, 3.0])
    assert Line(predicted, -predicted, 0.0).slope == 0
    assert Line(predicted, 2 * predicted, 0.0).slope == pytest.approx(2)
    assert 0 < Line(predicted, 2 * predicted, 1.0).slope < 2


def test_prescreening_trains_what_the_prior_expects_most_of(model: PriorModel) -> None:
    strategy = Strategy(sampler="random", prescreen=4, baseline=0.0)
    study = Study(model.space, strategy, PriorExecutor(model.prior), prior=model)
    study.run(2)
    judged = [trial for trial in study.trials if trial.outcome in ("passed", "predicted")]
    assert len(judged) == 8
    for group in (judged[:4], judged[4:]):
        best = max(group, key=lambda trial: trial.predicted or 0.0)
        assert best.outcome == "predicted"
