"""Choose what judges the networks of a search: a prior, or trainings."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from archscope.errors import OptionError
from archscope.search import priors
from archscope.search.prior_model import PriorModel
from archscope.space.search_space import Space

TRIALS = {"training": 16, "prior": 32, "evaluator": 32}
"""The default number of networks to judge."""

AUTO, NONE = "auto", "none"


class Judge(Struct, frozen=True):
    """What judges the networks, and the prior, which may also begin a search by trainings."""

    by: Literal["prior", "training"]
    prior: str = ""  # "" for none
    model: PriorModel | None = None
    notes: tuple[str, ...] = ()  # for the user

    def settings(self, trials: int | None = None) -> dict[str, Any]:
        """Return the fields of a `SearchConfig` that it decides; `trials` is the user's number."""
        return {"judge": self.by, "prior": self.prior, "trials": trials or TRIALS[self.by]}


def choose_judge(
    space: Space, spec: str, *, prior: str = AUTO, judge: str = AUTO, has_data: bool = False
) -> Judge:
    """Return the judge for a space, which is that of `spec`.

    `prior` is the name of one, `auto` for the default if it covers the space, or `none`. If `judge`
    is `auto`, the prior judges unless there is none or the user names images (`has_data`). Raises
    OptionError for a prior that does not exist or cannot judge the space.
    """
    model: PriorModel | None = None
    name = priors.DEFAULT if prior == AUTO else prior
    notes: tuple[str, ...] = ()
    if prior != NONE and space.decisions:  # `search` refuses a space without decisions
        try:
            model = PriorModel(priors.load(name), space)
        except (priors.NotCoveredError, ValueError) as error:
            if prior != AUTO or judge == "prior":
                raise OptionError(f"the prior '{name}' cannot judge '{spec}': {error}") from None
            notes = (
                f"no prior, as '{name}' does not cover this space: {error}; --prior timm is less"
                " sure and covers any CNN",
            )
    if judge == "prior" and model is None:
        raise OptionError("--judge prior needs a prior: it excludes --prior none")
    by_prior = judge == "prior" or (judge == AUTO and model is not None and not has_data)
    return Judge("prior" if by_prior else "training", "" if model is None else name, model, notes)
