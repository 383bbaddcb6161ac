"""Predict the accuracy of networks of inverted residuals, from a table of ImageNet trainings.

The table is that of Accel-NASBench: networks of one space, trained on ImageNet by one shortened
scheme. The model is linear in features of the units at each resolution, so a network's value is a
sum over resolutions; the accuracy is the ceiling minus the exponential of minus that sum. The
features of a resolution are depth, kernels, expansions, gates, macs and params, and products of the
first four for its first stage and the rest. The products are learned at the table's widths, and
fade for networks of other widths.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from itertools import combinations_with_replacement
from math import exp, log
from pathlib import Path

from msgspec import Struct

from archscope.decoding import decode_json
from archscope.errors import OptionError, RecordError, reason_of
from archscope.ir import Graph
from archscope.search.inverted_residuals import InvertedResidual, inverted_residuals
from archscope.search.priors import NotCoveredError, Prediction

ABOUT = (
    "top-1 under the shortened ImageNet training of Accel-NASBench, from 4,110 networks of inverted"
    " residuals that others trained"
)
REDUCTIONS = (2, 4, 8, 16, 32)
FADE = 0.1
"""Logarithm of the ratio of widths at which products have 1/e of their weight in the table."""
LEAST_COVERED = 0.9
"""Least share of the macs between the first unit and the last that must be in units."""


class Part(Struct, frozen=True):
    """The part of the model for a resolution: coefficients, and the ranges of features."""

    terms: tuple[float, ...]  # coefficients of `terms`
    terms_low: tuple[float, ...]
    terms_high: tuple[float, ...]
    products: tuple[float, ...]  # coefficients of `products`
    products_mean: float  # their sum at the mean of the table
    products_low: tuple[float, ...]
    products_high: tuple[float, ...]
    widths: tuple[int, ...]  # output channels of the stages


class Model(Struct, frozen=True):
    """The fitted model, in the format of its JSON file."""

    source: str
    licence: str
    rows: int
    fit: dict[str, float]  # errors on networks left out of the fit
    ceiling: float  # in percent
    constant: float
    spread: float  # half the interval of values with `INTERVAL` of the networks left out
    parts: dict[int, Part]  # by reduction


FITTED = Path(__file__).with_suffix(".json")


@cache
def load(path: Path = FITTED) -> ImageNetPrior:
    """Return the prior, or one fitted to other networks. Raises OptionError."""
    try:
        return ImageNetPrior(decode_json(path.read_bytes(), Model))
    except (OSError, RecordError) as error:
        raise OptionError(f"cannot read the prior '{path}': {reason_of(error)}") from None


class ImageNetPrior:
    """Predicts the top-1 accuracy after the table's training."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def predict(self, graph: Graph) -> Prediction:
        """Return the predicted accuracy in percent.

        Raises NotCoveredError if the network is not made of inverted residuals.
        """
        units = covered_units(graph)
        value = sum(self.values(units).values())
        unlike, far = self._unlike(units)
        spread = self.model.spread * (1 + far)
        accuracy = self.accuracy
        return Prediction(
            accuracy(value), accuracy(value - spread), accuracy(value + spread), unlike
        )

    def parts(self, graph: Graph) -> dict[int, float]:
        """Return the parts of the value of a network, by reduction; reduction 1 is a constant.

        Raises NotCoveredError if the network is not made of inverted residuals.
        """
        return self.values(covered_units(graph))

    def accuracy(self, value: float) -> float:
        """Return the accuracy in percent for a value, the sum of parts; it increases with it."""
        return self.model.ceiling - exp(-value)

    def values(self, units: Iterable[InvertedResidual]) -> dict[int, float]:
        """Return the parts of the value of a network, given its units."""
        by_reduction = grouped(units)
        trust = exp(-self._apart(units) / FADE)
        values = {
            reduction: _value(part, by_reduction[reduction], trust)
            for reduction, part in self.model.parts.items()
        }
        return {1: self.model.constant, **values}

    def _apart(self, units: Iterable[InvertedResidual]) -> float:
        """Return the largest deviation of widths from the table's, as the log of their ratio."""
        widths = {(unit.reduction, unit.leaving) for unit in units}
        apart = [
            min(abs(log(width / known)) for known in part.widths)
            for reduction, part in self.model.parts.items()
            for there, width in widths
            if there == reduction
        ]
        return max(apart, default=0.0)

    def _unlike(self, units: Sequence[InvertedResidual]) -> tuple[tuple[str, ...], float]:
        """Return which features are outside the table, and how far, in ranges of the table."""
        found: list[str] = []
        far = 0.0
        if others := {unit.reduction for unit in units} - set(REDUCTIONS):
            found.append(f"units at 1/{min(others)} of the input's resolution")
            far += 1
        by_reduction = grouped(units)
        for reduction, part in self.model.parts.items():
            group = by_reduction[reduction]
            if not group:
                found.append(f"no units at 1/{reduction} of the input's resolution")
                far = max(far, 0.5)
                continue
            for name, value, low, high in zip(
                TERMS, terms(group), part.terms_low, part.terms_high, strict=True
            ):
                beyond = max(low - value, value - high) / (high - low)
                if beyond > 0.1:
                    found.append(f"{name} at 1/{reduction} of the input's resolution")
                far = max(far, beyond)
        return tuple(found), far


def covered_units(graph: Graph) -> tuple[InvertedResidual, ...]:
    """Return the units of a network that the prior covers. Raises NotCoveredError."""
    graph = graph.inference()
    units = inverted_residuals(graph)
    if not units:
        raise NotCoveredError(f"'{graph.name}' has no inverted residuals")
    inside = {name for unit in units for name in unit.nodes}
    places = [place for place, node in enumerate(graph.nodes) if node.name in inside]
    between = graph.nodes[places[0] : places[-1] + 1]
    for node in between:
        if len(node.inputs) > 1 and node.op.name not in ("add", "mul"):
            raise NotCoveredError(
                f"'{graph.name}' joins branches by '{node.op.name}', as inverted residuals do not"
            )
    whole = sum(node.facts.macs for node in between)
    share = sum(unit.macs for unit in units) / max(whole, 1)
    if share < LEAST_COVERED:
        raise NotCoveredError(
            f"{1 - share:.0%} of the macs of '{graph.name}' between its first inverted residual"
            " and its last are in layers of other kinds"
        )
    return units


def grouped(units: Iterable[InvertedResidual]) -> dict[int, list[InvertedResidual]]:
    """Return units by reduction, one list for each of `REDUCTIONS`."""
    groups: dict[int, list[InvertedResidual]] = {reduction: [] for reduction in REDUCTIONS}
    for unit in units:
        if unit.reduction in groups:
            groups[unit.reduction].append(unit)
    return groups


TERMS = ("depth", "kernels", "gates", "macs", "params")


def terms(units: Sequence[InvertedResidual]) -> list[float]:
    """Return the features of the units of a resolution, one for each of `TERMS`.

    They do not include expansions, so that their effect is learned as that of macs and params,
    which also holds for other widths.
    """
    depth, kernels, _, gates = _mean(units)
    macs, params = sum(unit.macs for unit in units), sum(unit.params for unit in units)
    return [depth, kernels, gates, log(macs / 1e6 + 0.2), log(params / 1e3 + 0.5)]


def products(units: Sequence[InvertedResidual]) -> list[float]:
    """Return depth, kernels, expansions and gates of the first stage and the rest, and products."""
    first = [unit for unit in units if unit.leaving == units[0].leaving]
    rest = [unit for unit in units if unit.leaving != units[0].leaving]
    single = [*_mean(first), *_mean(rest)]
    return single + [a * b for a, b in combinations_with_replacement(single, 2)]


def _mean(units: Sequence[InvertedResidual]) -> list[float]:
    """Return the logarithm of the depth, and means over units."""
    number = max(len(units), 1)
    return [
        log(len(units) + 0.5),
        sum((unit.kernel - 3) / 2 for unit in units) / number,
        sum(log(unit.expansion) for unit in units) / number,
        sum(unit.gated for unit in units) / number,
    ]


def _value(part: Part, units: Sequence[InvertedResidual], trust: float) -> float:
    clipped = [
        min(max(x, low), high)
        for x, low, high in zip(products(units), part.products_low, part.products_high, strict=True)
    ]
    beyond = _dot(part.products, clipped) - part.products_mean
    return _dot(part.terms, terms(units)) + trust * beyond


def _dot(coefficients: Sequence[float], features: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(coefficients, features, strict=True))
