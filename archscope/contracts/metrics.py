"""The contract of metrics: their names, values, formatting and parsing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from importlib import import_module
from math import isclose, isfinite
from pathlib import Path

from archscope.analysis import Analysis, analyze
from archscope.contracts.check import Check, expect
from archscope.language import document, load
from archscope.metrics import METRICS, Metric
from archscope.space.budget import budget
from archscope.space.costs import CostModel, costs_of
from archscope.space.search_space import space
from archscope.units import format_value

NETWORKS = ("resnet18", "googlenet", "siamese")
"""Networks for which a metric must have a value."""


def checks(name: str, file: Path | None = None) -> Iterator[Check]:
    """Yield the checks of a metric."""
    metric = METRICS[name]
    yield Check("words", partial(says_what_it_is, name))
    if metric.is_computed:
        analyses = [analyze(load(network), target="mcu") for network in NETWORKS]
        yield Check("values", partial(values_are_finite, name, analyses))
        yield Check("unit", partial(values_are_read_back, name, analyses))
    if metric.is_cost:
        yield Check("budgets", partial(words_are_budgets, name))
    if metric.of is not None:
        yield Check("needs_graph", partial(says_whether_it_needs_a_graph, name))
    if metric.is_measured:
        yield Check("measured_by", partial(is_measured, name))


def values_of(metric: Metric, analyses: Iterable[Analysis]) -> list[float]:
    """Return the values of the networks that have one."""
    values = (metric.of_network(analysis) for analysis in analyses)
    return [value for value in values if value is not None]


def says_what_it_is(name: str) -> None:
    """Check its names, and that there is at most one way to compute it."""
    metric = METRICS[name]
    expect(metric.name == name, f"its name is {metric.name}")
    expect(
        metric.about and not metric.about.endswith("."),
        "`about` must be a phrase without a full stop",
    )
    ways = [metric.of, metric.of_analysis, metric.measured_by]
    known = sum(way not in (None, "") for way in ways)
    expect(known <= 1, "it may have only one of `of`, `of_analysis` and `measured_by`")
    if metric.limit:
        expect(metric.is_computed, "a measured metric cannot have a limit")
        expect(metric.unit.parse(metric.limit) > 0, f"the limit {metric.limit} is not positive")


def values_are_finite(name: str, analyses: Iterable[Analysis]) -> None:
    """Check that at least one network has a value, and that none is negative or infinite."""
    values = values_of(METRICS[name], analyses)
    expect(any(values), "its value is zero or unknown for every network")
    right = all(isfinite(value) and value >= 0 for value in values)
    expect(right, f"values must be finite and not negative, got {values}")


def values_are_read_back(name: str, analyses: Iterable[Analysis]) -> None:
    """Check that a value is formatted in its unit, as in the report, and parsed back."""
    metric = METRICS[name]
    for value in values_of(metric, analyses):
        text = metric.unit.format(value)
        expect(any(letter.isdigit() for letter in text), f"{value} is printed as '{text}'")
        written = format_value(value, metric.kind)
        expect(written == text, f"reports print '{written}', its unit '{text}'")
        if metric.unit.factors:
            read = metric.unit.parse(text.replace(",", ""))
            expect(isclose(read, value, rel_tol=1e-3), f"'{text}' is read as {read}, not {value}")


def words_are_budgets(name: str) -> None:
    """Check that each of its names begins a budget for it."""
    metric = METRICS[name]
    amount = metric.unit.examples.split(",")[0]
    device = "@cpu" if metric.is_measured else ""
    for word in (metric.name, *metric.words):
        limit = budget(f"{word} <= {amount}{device}")
        meant = (limit.metric, limit.most) == (name, metric.unit.parse(amount))
        expect(meant, f"'{limit.text}' is a budget of {limit.metric}")
        assert limit.most is not None
        over = limit.excess(limit.most) == 0 < limit.excess(2 * limit.most)
        expect(over, f"'{limit.text}' is not exceeded by twice as much")


def says_whether_it_needs_a_graph(name: str) -> None:
    """Check that sums over blocks give its value, unless it declares `needs_graph`."""
    networks = space(document("tiny"))
    whole = costs_of(networks.graph(networks.defaults))
    quick = CostModel(networks)(networks.defaults)
    expect(quick is not None, "its cost is unknown for the space 'tiny'")
    assert quick is not None
    left_out = name not in quick
    expect(left_out == METRICS[name].needs_graph, f"needs_graph must be {left_out}")
    expect(
        isclose(quick.get(name, whole[name]), whole[name]),
        "sums over blocks differ from the value of the network: it must state needs_graph",
    )


def is_measured(name: str) -> None:
    """Check that the function that measures it exists."""
    module, _, function = METRICS[name].measured_by.partition(":")
    expect(callable(getattr(import_module(module), function)), "measured_by is not a function")
