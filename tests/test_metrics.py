"""One record says everything of a metric: budgets, costs, objectives and reports agree with it."""

from __future__ import annotations

import pytest
from msgspec import structs

from archscope import analyze, load
from archscope.contracts.check import outcome
from archscope.contracts.metrics import (
    is_measured,
    says_what_it_is,
    says_whether_it_needs_a_graph,
    values_are_finite,
    values_are_read_back,
    words_are_budgets,
)
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
from archscope.space.costs import costs_of
from archscope.space.explore import explore
from archscope.space.search_space import space
from archscope.units import physical

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
    computed = {m.key for m in METRICS.values() if m.is_computed and m.column != "stored"}
    assert values.keys() == computed & {measure.key for measure in MEASURES.values()}
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
        is_measured(metric.name)


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
def test_a_metric_keeps_its_contract(name: str) -> None:
    says_what_it_is(name)
    if METRICS[name].is_computed:
        values_are_finite(name, ANALYSES)
        values_are_read_back(name, ANALYSES)
    if METRICS[name].is_cost:
        words_are_budgets(name)
    if METRICS[name].of is not None:
        says_whether_it_needs_a_graph(name)


@pytest.mark.parametrize("name", COMPUTED)
def test_a_computed_metric_is_in_the_report_unless_it_says_so(name: str) -> None:
    metric, graph = METRICS[name], load("resnet18")
    analysis = ANALYSES[0]
    if metric.column == "stored":
        assert metric.key not in describe_network(analysis, graph).values
        analysis = structs.replace(analysis, weights="best.safetensors")
    values = describe_network(analysis, graph).values
    assert (metric.key in values) == (metric.column != "absent") == (metric.key in MEASURES)
    if metric.key in values:
        assert values[metric.key] == metric.of_network(analysis)
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
    assert not outcome("metrics", "energy").broken
    METRICS["energy"] = structs.replace(energy, **change)
    assert outcome("metrics", "energy").broken
