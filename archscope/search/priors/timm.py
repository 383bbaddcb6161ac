"""Predict the ImageNet top-1 of any CNN under a named training recipe, from published results.

The model is fitted by `benchmarks/fit_timm_prior.py` to the results that timm and torchvision
publish for networks trained on ImageNet-1k only; docs/predict.md has its errors. It predicts the
logarithm of the error rate, in which networks and recipes add up nearly linearly, as the mean of a
ridge regression and gradient-boosted trees (Friedman 2001) on features of the graph and of the
recipe. The interval comes from the errors on families left out of the fit (Vovk et al. 2005), and
is wider where the two models disagree.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from math import exp, log, prod
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from archscope.analysis.features import features
from archscope.errors import OptionError, did_you_mean
from archscope.ir import Facts, Graph, Node, text_of
from archscope.records.prediction import Prediction
from archscope.search.priors import NotCoveredError
from archscope.units import format_count

ABOUT = "any CNN under a named recipe, from results published by timm and torchvision"
FILE = Path(__file__).with_suffix(".json")
DEFAULT = "tv_in1k"
"""The recipe of torchvision's first weights: 90 epochs with plain augmentation."""
OTHER = "other"
"""The name for recipes that are not among the fitted ones."""
CLASSES, CHANNELS = 1000, 3
LISTED = 12  # recipes to list in a message
MARGIN = 0.02  # by which the log or share of a feature may leave the fitted range
WORDS = {
    "macs": ("macs", True), "params": ("params", True), "side": ("input side", True),
    "depth": ("depth", True), "final.positions": ("positions before the head", True),
    "products.macs": ("share of products without weights, such as attention,", False),
    "large.macs": ("share of macs in large kernels", False),
    "stem.width": ("channels of the first layer", True),
    "stem.kernel": ("taps of the first kernel", True),
    "activations.count": ("activations for each layer", False),
}  # fmt: skip
"""Features that `unlike` names: their description, and whether they are logarithms."""


class Recipe(Struct, frozen=True, array_like=True):
    """A training recipe, as described by its name and its authors."""

    networks: int  # fitted results; 0 if it was not fitted
    epochs: float | None = None
    side: int | None = None  # of the training images


class Ridge(Struct, frozen=True):
    """A linear model of inputs that are clipped to the fitted range."""

    intercept: float
    low: tuple[float, ...]
    high: tuple[float, ...]
    weights: tuple[float, ...]

    def value(self, inputs: Sequence[float]) -> float:
        """Return the value of the model."""
        rows = zip(inputs, self.low, self.high, self.weights, strict=True)
        return self.intercept + sum(min(max(x, low), high) * by for x, low, high, by in rows)


class Interval(Struct, frozen=True):
    """The 90 % interval of the errors of the model, as multiples of their scale.

    The scale is `base + slope * disagreement` of the two models.
    """

    base: float
    slope: float
    low: float
    high: float


class TimmPrior(Struct, frozen=True):
    """The fitted model; the JSON file states the source of its numbers."""

    source: str
    licence: str
    fit: str
    networks: int  # published results
    architectures: int
    error: dict[str, Any]
    features: tuple[str, ...]
    recipes: dict[str, Recipe]
    epochs: float  # mean log epochs, for recipes of unknown length
    ridge: Ridge
    intercept: float  # of the trees
    trees: tuple[Any, ...]  # [index, threshold, at most, above], or the value of a leaf
    share: float  # weight of the trees in the mean of both models
    known: Interval  # for recipes that were fitted
    unknown: Interval

    def check_recipe(self, name: str) -> None:
        """Raise OptionError, with the nearest name, for a recipe that was not fitted."""
        if name == OTHER or name in self.recipes:
            return
        known = sorted(self.recipes, key=lambda known: -self.recipes[known].networks)
        hint = did_you_mean(name, (*known, OTHER)) or (
            f"; there are {', '.join(known[:LISTED])}, {len(known) - LISTED} more that"
            f" docs/predict.md lists, and '{OTHER}' for any recipe that is not among them"
        )
        raise OptionError(f"no recipe '{name}'{hint}")

    def predict(self, graph: Graph, *, recipe: str | None = None) -> Prediction:
        """Return the predicted ImageNet top-1 accuracy of a graph at its own input size.

        A number of classes other than 1000 is assumed to be a head that will be replaced. A recipe
        that was not fitted is assumed to have an average effect: its interval is wider, and
        `unlike` names it. Raises NotCoveredError unless the graph is a convolutional image
        classifier.
        """
        graph = graph.inference()
        check_classifier(graph)
        name = recipe or DEFAULT
        found = features(graph, CLASSES)
        values = [found[feature] for feature in self.features]
        side = exp(found["side"])
        inputs = [*values, *recipe_inputs(self.recipes, self.epochs, name, side)]
        linear, grown = self.both(inputs)
        middle = self.share * grown + (1 - self.share) * linear
        interval = self.known if name in self.recipes else self.unknown
        scale = interval.base + interval.slope * abs(grown - linear)
        return Prediction(
            mean=accuracy(middle),
            low=accuracy(middle + interval.high * scale),
            high=accuracy(middle - interval.low * scale),
            unlike=(*_unlike_input(graph), *self._unlike(values, name)),
            recipe=name,
            networks=self.networks,
        )

    def both(self, inputs: Sequence[float]) -> tuple[float, float]:
        """Return the predictions of the linear model and the trees, as log error rates."""
        grown = self.intercept + sum(_leaf(tree, inputs) for tree in self.trees)
        return self.ridge.value(inputs), grown

    def _unlike(self, values: Sequence[float], recipe: str) -> Iterator[str]:
        """Yield the features outside the fitted range that have a description, and the recipe."""
        if recipe not in self.recipes:
            yield f"recipe '{recipe}' was not fitted" if recipe != OTHER else "another recipe"
        rows = zip(self.features, values, self.ridge.low, self.ridge.high, strict=False)
        for feature, value, low, high in rows:
            if feature in WORDS and not low - MARGIN <= value <= high + MARGIN:
                words, log_scale = WORDS[feature]
                numbers = (exp(x) if log_scale else 100 * x for x in (value, low, high))
                here, least, most = (
                    format_count(round(x)) if log_scale else f"{x:.0f} %" for x in numbers
                )
                yield f"{words} {here}, fitted {least} to {most}"


def accuracy(value: float) -> float:
    """Return the accuracy in percent for a log error rate."""
    return 100.0 - min(exp(value), 99.9)


def recipe_inputs(
    recipes: Mapping[str, Recipe], mean_epochs: float, name: str, side: float
) -> list[float]:
    """Return the inputs of the model for a recipe and the image size in evaluation."""
    recipe = recipes.get(name) or described(name)
    inputs = [float(name == known) for known in recipes]
    epochs = mean_epochs if recipe.epochs is None else log(recipe.epochs)
    ratio = 0.0 if recipe.side is None else log(side / recipe.side)
    return [*inputs, float(name not in recipes), epochs, ratio]


def described(name: str) -> Recipe:
    """Parse the tag of a recipe: `ra4_e3600_r224_in1k` has 3600 epochs at 224x224."""
    epochs, side = (re.search(rf"(?:^|_){letter}(\d{{2,4}})(?=_)", name) for letter in "er")
    return Recipe(0, float(epochs[1]) if epochs else None, int(side[1]) if side else None)


def check_classifier(graph: Graph) -> None:
    """Raise NotCoveredError, with the reason, unless it is a convolutional image classifier."""
    if len(graph.inputs) != 1:
        raise NotCoveredError(f"no prediction for a network of {len(graph.inputs)} inputs")
    shape = graph.inputs[0].out
    if len(shape) != 3:
        raise NotCoveredError(f"no prediction: its input is no image, but {text_of(shape)}")
    out = graph.by_name[graph.main.node].out
    if any(size > 1 for size in out[1:]) or len(graph.outputs) > 1:
        shapes = ", ".join(text_of(graph.by_name[output.node].out) for output in graph.outputs)
        raise NotCoveredError(f"no prediction: it is no classifier, it returns {shapes}")
    if not out or out[0] < 2:
        raise NotCoveredError("no prediction: it is no classifier, it returns a single number")
    if not any(_is_convolution(node, facts) for node, facts in zip(
        graph.nodes, graph.facts.values(), strict=True
    )):  # fmt: skip
        raise NotCoveredError("no prediction: it has no convolution")


def _is_convolution(node: Node, facts: Facts) -> bool:
    """Return whether a node has weights and an output of several positions."""
    return facts.macs > 0 and facts.params > 0 and prod(node.out[1:]) > 1


def _unlike_input(graph: Graph) -> Iterator[str]:
    channels, height, width = graph.inputs[0].out
    if channels != CHANNELS:
        yield f"{channels} input channel{'s' if channels > 1 else ''}, fitted {CHANNELS}"
    if height != width:
        yield f"an input of {height}x{width}, fitted squares"
    classes = next(iter(graph.by_name[graph.main.node].out), 1)
    if classes != CLASSES:
        yield f"{classes} classes, predicted as if they were {CLASSES}"


def _leaf(tree: Any, inputs: Sequence[float]) -> float:
    while isinstance(tree, list):
        place, threshold, below, above = tree
        tree = below if inputs[place] <= threshold else above
    return tree  # type: ignore[no-any-return]


@cache
def load() -> TimmPrior:
    """Return the fitted prior."""
    return msgspec.json.decode(FILE.read_bytes(), type=TimmPrior)
