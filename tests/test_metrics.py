"""One record says everything of a metric: budgets, costs, objectives and reports agree with it."""

from __future__ import annotations

from importlib import import_module

import pytest

from archscope import analyze, load
from archscope.errors import OptionError
from archscope.language import document
from archscope.metrics import METRICS, Metric, cost_metrics, metric_words, objectives
from archscope.report.pages.content import MEASURES
from archscope.report.pages.network_section import describe_network
from archscope.report.pages.summary import written
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


@pytest.fixture
def energy(monkeypatch: pytest.MonkeyPatch) -> Metric:
    monkeypatch.setitem(METRICS, ENERGY.name, ENERGY)
    return ENERGY


@pytest.mark.parametrize("name", ["resnet18", "shufflenet_v2_x1_0", "googlenet", "siamese"])
def test_costs_are_those_of_the_analysis(name: str) -> None:
    graph = load(name)
    analysis = analyze(graph)
    costs = costs_of(graph)
    assert list(costs) == ["macs", "params", "weights", "access", "peak"]
    assert costs == {key: METRICS[key].of_network(analysis) for key in costs}


def test_reports_show_what_records_compute() -> None:
    graph = load("resnet18")
    values = describe_network(analyze(graph), graph).values
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
    assert [metric.name for metric in measured] == ["latency"]
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
