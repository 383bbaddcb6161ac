"""The options by which a command predicts the ImageNet accuracy of networks."""

from __future__ import annotations

import click
from msgspec import Struct, structs

from archscope.analysis import Analysis
from archscope.cli.shared.options import gathered, together
from archscope.ir import Graph


class Predictor(Struct, frozen=True):
    """Adds predicted accuracy to analyses, if the command line asks for it."""

    predict: bool = False
    recipe: str | None = None

    @property
    def wanted(self) -> bool:
        """Whether a prediction is asked for; to name a recipe asks for it, too."""
        return self.predict or self.recipe is not None

    def complete(self, analysis: Analysis, graph: Graph) -> Analysis:
        """Return the analysis with the prediction, or with the reason why there is none.

        Raises OptionError for an unknown recipe.
        """
        if not self.wanted:
            return analysis
        from archscope.search.priors import NotCoveredError  # only where a prediction is asked for
        from archscope.search.priors.timm import load

        prior = load()
        if self.recipe is not None:
            prior.check_recipe(self.recipe)
        try:
            return structs.replace(analysis, predicted=prior.predict(graph, recipe=self.recipe))
        except NotCoveredError as error:
            return structs.replace(analysis, unpredicted=str(error))


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
