"""One record says everything of a metric: budgets, costs, objectives and reports agree with it."""

from __future__ import annotations

from importlib import import_module
from math import isfinite

import pytest
from msgspec import structs

from archscope import Analysis, analyze, load
from archscope.errors import OptionError
from archscope.language import document
from archscope.latency.predict import predict
from archscope.latency.profile import load as load_profile
from archscope.metrics import (
    METRICS,
    Metric,
    cost_metrics,
    metric_words,
    objectives,
    static_metrics,
)
from archscope.records.prediction import Prediction
from archscope.report.pages.content import MEASURES
from archscope.report.pages.network_section import describe_network
from archscope.report.pages.words import written
from archscope.space.budget import budget, budgets
from archscope.space.costs import CostModel, costs_of
from archscope.space.explore import explore
from archscope.space.search_space import space
from archscope.units import format_value, physical

ENERGY = Metric(
    name="energy",
    about="of arithmetic and memory access",
    unit=physical("J"),
    of=lambda sums: 4.6e-12 * sums.macs + 160e-12 * sums.memory_access_bytes,
)

ANALYSES = [analyze(load(name), target="mcu") for name in ("resnet18", "googlenet", "siamese")]
ANALYSES[0] = structs.replace(
    ANALYSES[0],
    predicted=Prediction(69.5, 67.0, 71.0),
    latency=predict(load_profile("i7-12700h"), load("resnet18")),
)
COMPUTED = [metric.name for metric in METRICS.values() if metric.is_computed]
COSTS = [metric.name for metric in cost_metrics()]


def values_of(metric: Metric, analyses: list[Analysis]) -> list[float]:
    values = [metric.of_network(analysis) for analysis in analyses]
    return [value for value in values if value is not None]


@pytest.fixture
def energy(monkeypatch: pytest.MonkeyPatch) -> Metric:
    monkeypatch.setitem(METRICS, ENERGY.name, ENERGY)
    return ENERGY


@pytest.mark.parametrize("name", ["resnet18", "shufflenet_v2_x1_0", "googlenet", "siamese"])
def test_costs_are_those_of_the_analysis(name: str) -> None:
    graph = load(name)
    analysis = analyze(graph, target="mcu")
    costs = costs_of(graph)
    assert list(costs) == [metric.name for metric in static_metrics()]
    assert next(iter(costs)) == "macs"
    assert costs == {key: METRICS[key].of_network(analysis) for key in costs}


def test_reports_show_what_records_compute() -> None:
    graph = load("resnet18")
    values = describe_network(analyze(graph, target="mcu"), graph).values
    assert values.keys() == {m.key for m in METRICS.values() if m.is_computed} & {
        measure.key for measure in MEASURES.values()
    }
    assert values["field"] == 435
    assert values["coverage"] == 1
    assert values["peak_activation_bytes"] == costs_of(graph)["peak"]


def test_words_name_one_metric() -> None:
    words = [word for metric in cost_metrics() for word in (metric.name, *metric.words)]
    assert len(words) == len(set(words))
    assert all(word == word.lower() for word in words)
    assert objectives() == ["accuracy", *(metric.name for metric in cost_metrics())]


def test_each_cost_is_a_budget_in_its_unit() -> None:
    for metric in cost_metrics():
        amount = metric.unit.examples.split(",")[0]
        device = "@cpu" if metric.is_measured else ""
        limit = budget(f"{metric.name} <= {amount}{device}")
        assert (limit.metric, limit.most) == (metric.name, metric.unit.parse(amount))
        assert limit.meaning().startswith(f"{limit.text}: at most ")


def test_what_measures_a_metric_is_there() -> None:
    measured = [metric for metric in METRICS.values() if metric.is_measured]
    assert METRICS["latency"] in measured
    for metric in measured:
        module, _, function = metric.measured_by.partition(":")
        assert callable(getattr(import_module(module), function))


def test_a_new_metric_is_one_record(energy: Metric) -> None:
    assert metric_words()["energy"] is energy
    assert "energy" in objectives()
    (limit,) = budgets(["5mJ"], edge=0)
    assert (limit.metric, limit.most) == ("energy", pytest.approx(5e-3))
    assert limit.meaning() == "5mJ: at most 0.005 J (of arithmetic and memory access)"
    assert budget("energy 3..5mJ").least == pytest.approx(3e-3)
    assert budget("60% energy of resnet50", lambda name: costs_of(load(name))).most > 0
    with pytest.raises(OptionError, match="energy is in J, such as 5mJ"):
        budget("energy 5M")
    with pytest.raises(OptionError, match="energy is in J, not bytes"):
        budget("energy 5MiB")
    found = explore(space(document("tiny")), budgets(["300uJ"]), samples=20)
    assert found.example is not None
    assert found.example.costs["energy"] <= 300e-6
    assert [span.metric for span in found.ranges][-1] == "energy"
    assert written(4.6e-3, energy.kind) == "4.600 mJ"


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_says_what_it_is(name: str) -> None:
    metric = METRICS[name]
    assert metric.name == name
    assert metric.about and not metric.about.endswith(".")
    ways = [metric.of, metric.of_analysis, metric.measured_by]
    assert sum(way not in (None, "") for way in ways) <= 1, "one way to know it"
    if metric.limit:
        assert metric.is_computed and metric.unit.parse(metric.limit) > 0


@pytest.mark.parametrize("name", COMPUTED)
def test_a_computed_metric_is_finite_and_not_negative(name: str) -> None:
    values = values_of(METRICS[name], ANALYSES)
    assert any(values), "zero or unknown for every network"
    assert all(isfinite(value) and value >= 0 for value in values)


@pytest.mark.parametrize("name", COMPUTED)
def test_a_computed_metric_is_printed_in_its_unit_and_read_back(name: str) -> None:
    metric = METRICS[name]
    for value in values_of(metric, ANALYSES):
        text = metric.unit.format(value)
        assert any(letter.isdigit() for letter in text)
        assert written(value, metric.kind) == format_value(value, metric.kind) == text
        if metric.unit.factors:
            assert metric.unit.parse(text.replace(",", "")) == pytest.approx(value, rel=1e-3)


@pytest.mark.parametrize("name", COSTS)
def test_every_word_for_a_cost_is_a_budget_of_it(name: str) -> None:
    metric = METRICS[name]
    amount = metric.unit.examples.split(",")[0]
    device = "@cpu" if metric.is_measured else ""
    for word in (metric.name, *metric.words):
        limit = budget(f"{word} <= {amount}{device}")
        assert (limit.metric, limit.most) == (name, metric.unit.parse(amount))
        assert limit.excess(limit.most) == 0 < limit.excess(2 * limit.most)


@pytest.mark.parametrize("name", [metric.name for metric in static_metrics()])
def test_a_cost_says_whether_it_needs_a_graph(name: str) -> None:
    networks = space(document("tiny"))
    whole = costs_of(networks.graph(networks.defaults))
    quick = CostModel(networks)(networks.defaults)
    assert quick is not None
    assert (name not in quick) == METRICS[name].needs_graph
    assert quick.get(name, whole[name]) == whole[name]


@pytest.mark.parametrize("name", COMPUTED)
def test_a_computed_metric_is_in_the_report_unless_it_says_so(name: str) -> None:
    metric, graph = METRICS[name], load("resnet18")
    values = describe_network(ANALYSES[0], graph).values
    assert (metric.key in values) == (metric.column != "absent") == (metric.key in MEASURES)
    if metric.key in values:
        assert values[metric.key] == metric.of_network(ANALYSES[0])
        assert MEASURES[metric.key].about == metric.about


@pytest.mark.parametrize(
    "change",
    [
        {"of": lambda sums: -1.0},
        {"of": lambda sums: float("nan")},
        {"of": lambda sums: 0.0},
        {"of_analysis": lambda analysis: 1.0},
        {"unit": structs.replace(ENERGY.unit, format=lambda value: f"{value:.0f} J")},
        {"about": "of arithmetic and memory access."},
    ],
)
def test_a_broken_metric_is_found(change: dict[str, object], energy: Metric) -> None:
    checks = (
        test_a_metric_says_what_it_is,
        test_a_computed_metric_is_finite_and_not_negative,
        test_a_computed_metric_is_printed_in_its_unit_and_read_back,
        test_every_word_for_a_cost_is_a_budget_of_it,
    )
    for check in checks:
        check("energy")
    METRICS["energy"] = structs.replace(energy, **change)
    found = 0
    for check in checks:
        try:
            check("energy")
        except (AssertionError, OptionError):
            found += 1
    assert found
