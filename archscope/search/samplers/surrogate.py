"""Expected improvement according to a model of the score, over the networks within the budgets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING

from archscope.search.samplers import UNIFORM

if TYPE_CHECKING:
    import optuna

    from archscope.records.study import Trial
    from archscope.search.sampler_context import Sampler, SamplerContext
    from archscope.search.score_model import Surrogate
    from archscope.space.rows import Rows

ABOUT = (
    "models the score and proposes the largest expected improvement within the budget; for several"
    " objectives or continuous decisions, it is tpe"
)
STARTS = 10


def make(context: SamplerContext) -> Sampler:
    """Return the sampler of a study."""
    import numpy as np

    from archscope.search.sampler_context import make_sampler
    from archscope.search.score_model import Surrogate
    from archscope.space.feasible import FeasibleSet

    space, strategy, history = context.space, context.strategy, context.history
    if len(strategy.objectives) > 1 or any(decision.size is None for decision in space.decisions):
        return make_sampler("tpe", context)
    uniform = make_sampler(UNIFORM, context)

    @cache
    def surrogate() -> Surrogate:
        feasible = FeasibleSet(space, strategy.budgets, context.cost_model)
        prior = context.prior
        if prior is not None and prior.factors is None:
            prior = None  # it would need the graph of every candidate
        return Surrogate(feasible, strategy.seed, prior)

    encoded: dict[int, Rows] = {}  # rows of trials by number

    def rows_of(trials: Sequence[Trial]) -> Rows:
        encoding = surrogate().feasible.encoding
        for trial in trials:
            if trial.number not in encoded:
                encoded[trial.number] = encoding.rows([trial.choices])[0]
        rows = np.array([encoded[trial.number] for trial in trials], np.int64)
        return rows.reshape(len(trials), len(encoding.sizes))

    def propose() -> Iterator[optuna.Trial]:
        scored = [trial for trial in history.trials if trial.values and trial.trained]
        if history.trainings < strategy.first + len(strategy.anchors) or len(scored) < 2:
            yield from uniform()
            return
        rows = rows_of(scored)
        scores = np.array([strategy.gains(trial.values)[0] for trial in scored])
        if not strategy.score.is_share:  # the priors of the model are for scores near 1
            scores /= scores.std() or 1.0
        while True:
            begun = [*context.screening.known.values()]
            pending = rows_of([trial for trial in begun if trial.result is None])
            told = rows_of([*history.trials, *begun])
            row = surrogate().propose(rows, scores, pending, told, history.proposed)
            if row is None:
                return
            yield context.learner.enqueue(surrogate().feasible.encoding.choices(row))

    return propose
