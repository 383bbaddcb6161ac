"""The options `--predict` and `--recipe`: predict the ImageNet accuracy of networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click
from msgspec import Struct, structs

from archscope.analysis import Analysis
from archscope.cli.shared.options import gathered, together
from archscope.ir import Graph

if TYPE_CHECKING:
    from archscope.space.budget import Budget
    from archscope.space.search_space import Space


class Predictor(Struct, frozen=True):
    """Adds predicted accuracy to analyses if the command line requests it."""

    predict: bool = False
    recipe: str | None = None

    @property
    def wanted(self) -> bool:
        """Whether a prediction is requested, which `--recipe` alone does as well."""
        return self.predict or self.recipe is not None

    def complete(self, analysis: Analysis, graph: Graph) -> Analysis:
        """Return the analysis with the prediction added, or the reason why there is none.

        Raises OptionError for an unknown recipe.
        """
        if not self.wanted:
            return analysis
        from archscope.search.priors import NotCoveredError  # only if needed
        from archscope.search.priors.timm import load

        prior = load()
        if self.recipe is not None:
            prior.check_recipe(self.recipe)
        try:
            return structs.replace(analysis, predicted=prior.predict(graph, recipe=self.recipe))
        except NotCoveredError as error:
            return structs.replace(analysis, unpredicted=str(error))

    def of_space(
        self, space: Space, limits: Sequence[Budget], seed: int
    ) -> tuple[list[str], dict[str, Any]]:
        """Return the predictions for networks of a space, as lines and as JSON keys."""
        if not self.wanted:
            return [], {}
        from archscope.report.tables.space import predicted_line
        from archscope.search.predicted_space import predict_space
        from archscope.search.priors import NotCoveredError

        try:
            found = predict_space(space, limits, recipe=self.recipe, seed=seed)
        except NotCoveredError as error:
            return [str(error)], {"predicted": None, "unpredicted": str(error)}
        parts = found.lowest, found.median, found.highest
        return [predicted_line(found.networks, *parts)], {"predicted": found, "unpredicted": ""}


predict_options = gathered("predictor", Predictor, together(
    click.option(
        "--predict", is_flag=True,
        help="Add the predicted ImageNet accuracy: not measured, in milliseconds, with its"
        " interval.",
    ),
    click.option(
        "--recipe", metavar="NAME",
        help="Predict for this training recipe.  [default: tv_in1k, torchvision's first]",
    ),
))  # fmt: skip
"""`--predict` and `--recipe`, as the `predictor` of a command."""
