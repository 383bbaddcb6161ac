"""The configuration of a search: everything that decides its result, apart from where it runs."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct, field, to_builtins

from archscope.importers.formats import Inputs
from archscope.language.document import Document
from archscope.metrics import ACCURACY
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
    """What to search, how, and how candidates are trained."""

    spec: str = DEFAULT
    set: dict[str, Any] = {}  # values of names and decisions of the spec
    input: Inputs = None  # the shape of the input, if not that of the spec
    budgets: tuple[Budget, ...] = ()
    sampler: str = samplers.DEFAULT
    trials: int = 24  # networks to train
    seed: int = 0
    lag: int = 4
    baseline: float = field(default=0.2, name="control")
    prescreen: int = 1
    eta: int = 3
    objectives: tuple[str, ...] = (ACCURACY,)
    start: tuple[str, ...] = ()
    prior: str = ""  # what is expected of the scores before any training; none
    judge: Literal["training", "prior"] = "training"  # where scores come from
    inherit: bool = False  # begin a training with the weights of the nearest network trained
    measure: bool = True  # hold latency budgets of this machine to what is measured on it
    resolution: int | None = None  # side of the images trained on; 0: the spec's; None: pilot's
    trainer: Trainer

    def space(self) -> tuple[Document, Space]:
        """Return the document of the spec, and the space to search. Raises ArchscopeError."""
        read = document(self.spec)
        return read, space(read, set=self.set, input=self.input)

    def strategy(self, space: Space, model: PriorModel | None = None) -> Strategy:
        """Return the strategy of the study. Raises OptionError for anchors that do not exist.

        With a model of the prior, the study begins with the best network by that, and with fewer
        draws.
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
            prescreen=self.prescreen,
            eta=self.eta if len(self.objectives) == 1 else 0,
        )

    def record(self) -> dict[str, Any]:
        """Return what study.json keeps; a study may be resumed with more trials."""
        rows: dict[str, Any] = to_builtins(self)
        del rows["trials"]
        return {**rows, "budgets": [budget.text for budget in self.budgets]}
