"""The configuration of a search: everything that affects its result, except where it runs."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct, field, to_builtins

from archscope.errors import OptionError, did_you_mean
from archscope.importers.formats import Inputs
from archscope.language.document import Document
from archscope.latency.profile import load
from archscope.metrics import ACCURACY, cost_metrics
from archscope.records.score_metric import (
    MAXIMIZE,
    TRAINED_SCORE,
    Direction,
    ScoreMetric,
    metric_of_evaluator,
)
from archscope.records.study import PROFILES
from archscope.search import samplers
from archscope.search.anchors import anchors
from archscope.search.evaluation import Trainer
from archscope.search.prior_model import STARTS_WITH_PRIOR, PriorModel
from archscope.search.strategy import Strategy
from archscope.sources import document
from archscope.space.budget import Budget
from archscope.space.search_space import Space, space

DEFAULT = "mnas"


class SearchConfig(Struct, frozen=True, kw_only=True):
    """What to search, how to search, and how to train candidates."""

    spec: str = DEFAULT
    set: dict[str, Any] = {}  # values for names and decisions of the spec
    input: Inputs = None  # the input shape, if not that of the spec
    budgets: tuple[Budget, ...] = ()
    sampler: str = samplers.DEFAULT
    trials: int = 24  # number of networks to train
    seed: int = 0
    lag: int = 4
    baseline: float = field(default=0.2, name="control")
    prescreen: int = 1
    eta: int = 3
    objectives: tuple[str, ...] = (ACCURACY,)
    start: tuple[str, ...] = ()
    prior: str = ""  # the prior on scores; "" for none
    judge: Literal["training", "prior", "evaluator"] = "training"  # where scores come from
    evaluator: str = ""  # the name of the user's function that scores, if one does
    metric: str = ""  # the name of its scores; "": they are from 0 to 1 and called score
    direction: Direction = MAXIMIZE  # of its scores
    inherit: bool = False  # initialise networks from the nearest trained one
    measure: bool = True  # correct latency budgets of this machine by measurements
    resolution: int | None = None  # side of the training images; 0: the spec's; None: pilot's
    trainer: Trainer

    def __post_init__(self) -> None:
        """Raise OptionError for an objective that is neither the score nor a cost."""
        known = [self.score.name, *(cost.name for cost in cost_metrics())]
        for name in self.objectives:
            if name not in (ACCURACY, *known):
                hint = did_you_mean(name, known) or f"; there are {', '.join(known)}"
                raise OptionError(f"no objective '{name}'{hint}")

    def space(self) -> tuple[Document, Space]:
        """Return the document of the spec, and the space to search. Raises ArchscopeError."""
        read = document(self.spec)
        return read, space(read, set=self.set, input=self.input)

    @property
    def score(self) -> ScoreMetric:
        """The metric of the scores."""
        if not self.evaluator:
            return TRAINED_SCORE
        return metric_of_evaluator(self.metric, self.direction)

    def strategy(self, space: Space, model: PriorModel | None = None) -> Strategy:
        """Return the strategy of the study. Raises OptionError for anchors that do not exist.

        With a model of the prior, the study begins with the prior's best network, and with fewer
        uniform draws.
        """
        first = tuple(anchors(space, self.budgets, self.start, self.seed))
        return Strategy(
            starts=None if model is None else STARTS_WITH_PRIOR,
            budgets=self.budgets,
            sampler=self.sampler,
            seed=self.seed,
            lag=self.lag,
            baseline=self.baseline,
            anchors=first if model is None else (*model.anchors(self.budgets), *first),
            objectives=self.objectives,
            score=self.score,
            prescreen=self.prescreen,
            eta=self.eta if len(self.objectives) == 1 else 0,
        )

    def record(self) -> dict[str, Any]:
        """Return the content of study.json, without what may change when a study is resumed.

        Of latency profiles it is the checksums: a name alone may be given to another profile.
        """
        rows: dict[str, Any] = to_builtins(self)
        del rows["trials"]
        if not self.evaluator:
            del rows["evaluator"], rows["metric"], rows["direction"]
        names = sorted({budget.predicted_by for budget in self.budgets if budget.predicted_by})
        rows["budgets"] = [budget.text for budget in self.budgets]
        if names:
            rows[PROFILES] = {name: load(name).checksum for name in names}
        return rows
