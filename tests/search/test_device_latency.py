"""Latency budgets of this machine: measured, corrected and said to be missed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from archscope.analysis.canonical import canonical
from archscope.cli import main
from archscope.ir import Graph
from archscope.language import document, graph
from archscope.latency.host import installed_version, is_this_machine, this_host
from archscope.latency.predict import predict
from archscope.latency.profile import Machine, Profile, keep, load
from archscope.records.study import DeviceLatency, Trial
from archscope.report.formats import render
from archscope.report.table import CommandOutput
from archscope.report.tables.prior_searches import prior_search_parts
from archscope.search import priors
from archscope.search.config import SearchConfig
from archscope.search.device_latency import device_latencies, holding, measured_ratios
from archscope.search.evaluation import Trainer
from archscope.search.prior_model import PriorModel
from archscope.search.prior_search import PriorSearchResult, search_by_prior
from archscope.search.progress import SearchProgress
from archscope.space.budget import Budget, budget, budgets, cost_model
from archscope.space.search_space import space
from tests.latency.stubs import stub
from tests.search.test_prior_model import UNITS

SLOWER = 1.3
"""What this machine takes, of what is predicted."""

SPACE = space(document("units.yaml", text=UNITS.encode()))
MODEL: list[PriorModel] = []


def slower(profile: Profile, graphs: Sequence[Graph]) -> list[float]:
    return [SLOWER * predict(profile, graph).milliseconds for graph in graphs]


def never(profile: Profile, graphs: Sequence[Graph]) -> list[float]:
    raise AssertionError("nothing is measured")


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """Keep a profile of this machine, which is slower than that says, and return a budget."""
    monkeypatch.setenv("ARCHSCOPE_DATA", str(tmp_path / "data"))
    monkeypatch.setattr("archscope.search.device_latency._measure", slower)
    version = installed_version("onnxruntime")
    keep(stub(name="here", machine=this_host(), version=version))
    keep(stub(name="board"))
    model = cost_model(SPACE, [budget("1ms@here")])
    costs = model(SPACE.defaults)
    assert costs is not None
    return f"{1.5 * costs['latency@here']:.3f}ms@here"


class Notes(SearchProgress):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def on_note(self, note: str) -> None:
        self.notes.append(note)


def searched(
    folder: Path, *texts: str, notes: Notes | None = None, measure: bool = True, trials: int = 6
) -> PriorSearchResult:
    if not MODEL:
        MODEL.append(PriorModel(priors.load("imagenet"), SPACE))
    limits = budgets(texts, lambda name: {})
    config = SearchConfig(
        spec="units.yaml", budgets=limits, prior="imagenet", judge="prior", trials=trials,
        trainer=Trainer(data="digits"), measure=measure,
    )  # fmt: skip
    return search_by_prior(config, folder, MODEL[0], top=0, progress=notes)


def test_a_machine_is_known_by_processor_cores_and_runtime() -> None:
    assert is_this_machine(stub(machine=this_host()))
    assert not is_this_machine(stub())
    assert not is_this_machine(stub(machine=this_host(), runtime="no such runtime"))
    other = Machine(this_host().name, (this_host().cores or 0) + 1)
    assert not is_this_machine(stub(machine=other))


def test_the_best_are_measured_within_a_tenth_of_the_budget(here: str, tmp_path: Path) -> None:
    notes = Notes()
    found = searched(tmp_path / "study", here, notes=notes)
    (latency,) = found.prior.networks[0].latency
    assert latency.measured == pytest.approx(SLOWER * latency.predicted)
    assert latency.excess is not None and -0.1 <= latency.excess <= 0
    assert not latency.misses
    assert len(notes.notes) == 1 and "took up to 1.30 times as long as predicted" in notes.notes[0]
    assert "ms measured here" in found.verdict
    assert "within the corrected budget has a higher prediction (proved)" in found.verdict
    said = render(CommandOutput(tuple(prior_search_parts(found))), "table")
    assert f"ms@{latency.profile}" in said and latency.place in said
    assert all(row.latency[0].measured is None for row in found.prior.references)


def test_the_slowest_network_decides_how_a_budget_is_corrected(here: str) -> None:
    (limit,) = budgets((here,), lambda name: {})

    def uneven(profile: Profile, graphs: Sequence[Graph]) -> list[float]:
        factors = (1.1, 1.4, 1.2)[: len(graphs)]
        return [
            f * predict(profile, graph).milliseconds
            for f, graph in zip(factors, graphs, strict=True)
        ]

    assert measured_ratios(SPACE, [limit], measure=uneven).ratios == {
        limit.cost: pytest.approx(1.4)
    }


def test_a_resumed_study_keeps_what_was_measured(
    here: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = searched(tmp_path / "whole", here, trials=6)
    searched(tmp_path / "parts", here, trials=3)
    monkeypatch.setattr(
        "archscope.search.device_latency._measure",
        lambda profile, graphs: [2 * time for time in slower(profile, graphs)],
    )
    again = searched(tmp_path / "parts", here, trials=6)
    first = again.prior.networks[0]
    assert whole.winner is not None and whole.met
    assert first.choices == whole.winner.choices
    assert first.misses and first.latency[0].place.startswith("misses ")
    assert first.latency[0].place in again.verdict


def without_correction(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "latency.json").write_text('{"ratios": {}}')
    return folder


def test_the_best_that_holds_the_budget_when_measured_wins(
    here: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    best = searched(tmp_path / "predicted", here, measure=False).winner
    assert best is not None and not best.misses
    slow = canonical(SPACE.graph(best.choices))

    def one_is_slow(profile: Profile, graphs: Sequence[Graph]) -> list[float]:
        times = (predict(profile, graph).milliseconds for graph in graphs)
        factors = (3 if canonical(graph) == slow else 1 for graph in graphs)
        return [factor * time for factor, time in zip(factors, times, strict=True)]

    monkeypatch.setattr("archscope.search.device_latency._measure", one_is_slow)
    folder = without_correction(tmp_path / "measured")
    found = searched(folder, here)
    assert found.met and found.winner is not None and found.winner.choices != best.choices
    assert [row.misses for row in found.prior.networks] == [False, True]
    assert f"{best.name} misses {here}" in found.verdict and not found.prior.proved
    written = graph(document(folder / "winner.yaml"))
    assert canonical(written) == canonical(SPACE.graph(found.winner.choices))
    said = json.loads((folder / "summary.json").read_text())
    assert [row["misses"] for row in said["prior"]["networks"]] == [False, True]


def test_a_study_without_a_network_that_holds_the_budget_says_so(
    here: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spec, folder = tmp_path / "units.yaml", without_correction(tmp_path / "studies" / "slow")
    spec.write_text(UNITS)
    (folder / "winner.yaml").write_text("of an earlier part")
    words = ["search", str(spec), "--budget", here, "--trials", "6", "--top", "1", "--name", "slow"]
    monkeypatch.setattr(
        "archscope.search.device_latency._measure",
        lambda profile, graphs: [3 * predict(profile, graph).milliseconds for graph in graphs],
    )
    assert main([*words, "--studies-dir", str(folder.parent), "--format", "json"]) == 1
    study = json.loads(capsys.readouterr().out)["study"]
    assert study["winner"] is None and study["met"] is False
    rows = study["prior"]["networks"]
    assert 1 < len(rows) <= 4 and all(row["misses"] for row in rows)
    assert f"none of the {len(rows)} networks that were measured holds" in study["verdict"]
    assert not (folder / "winner.yaml").exists()
    page = (folder / "report.html").read_text()
    assert "Ship nothing of study slow: its best" in page and "winner of slow" not in page
    assert main([*words, "--studies-dir", str(folder.parent)]) == 1
    said = capsys.readouterr().out
    assert "no winner: none of" in said and "winner.yaml" not in said


def test_other_machines_and_no_measure_are_predicted_only(
    here: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("archscope.search.device_latency._measure", never)
    for number, text in enumerate((here, here.replace("here", "board"))):
        found = searched(tmp_path / str(number), text, measure=False)
        (latency,) = found.prior.networks[0].latency
        assert latency.measured is None and latency.excess is None
        assert "not measured" in latency.words
        assert not (tmp_path / str(number) / "latency.json").exists()
    found = searched(tmp_path / "board", here.replace("here", "board"))
    assert found.prior.networks[0].latency[0].measured is None


def test_several_devices_have_a_ratio_each(here: str) -> None:
    amount = here.partition("ms@")[0]
    limits = budgets([here, f"{amount}ms@board", "macs 1G"], lambda name: {})
    ratios = measured_ratios(SPACE, limits, measure=slower)
    assert ratios.ratios == {"latency@here": pytest.approx(SLOWER)}
    assert ratios.networks > 0
    held = {limit.cost: limit for limit in ratios.held(limits)}
    assert held["latency@here"].most == pytest.approx(limits[0].most / SLOWER)  # type: ignore[operator]
    assert [held["latency@board"], held["macs"]] == [*limits[1:]]
    exact = measured_ratios(
        SPACE, limits, measure=lambda profile, graphs: [x / SLOWER for x in slower(profile, graphs)]
    )
    assert exact.ratios == {} and exact.held(limits) == limits


def test_a_time_is_held_to_the_upper_limit_unless_it_is_below_the_lower(here: str) -> None:
    graph = SPACE.graph(SPACE.defaults)
    for most, least, excess in ((10.0, 7.9, -0.2), (6.4, None, 0.25), (20.0, 10.0, 0.2)):
        limit = Budget("range", "latency", most, least, device="here")
        ((found,),) = device_latencies([limit], [graph], measure=lambda profile, graphs: [8.0])
        assert found.excess == pytest.approx(excess)


def test_budgets_that_nothing_fits_are_not_measured(here: str) -> None:
    tight = Budget("tight", "latency", 1e-6, device="here")
    assert measured_ratios(SPACE, [tight], measure=never).ratios == {}


def test_what_a_profile_was_not_fitted_to_is_said(here: str) -> None:
    keep(stub(name="wide", batches=(32, 64)))
    (found,) = device_latencies([budget("9ms@wide")], [SPACE.graph(SPACE.defaults)], measure=never)
    assert found[0].unlike == predict(load("wide"), SPACE.graph(SPACE.defaults)).unlike != ()
    assert "not to one image" in budget("9ms@wide").note


def test_networks_that_miss_their_budget_are_not_trained_again() -> None:
    ranked = [Trial(number, {}, "trained", "surrogate") for number in range(9)]
    measured: list[int] = []

    def latencies_of(excess: dict[int, float]) -> Any:
        def of(chosen: Sequence[Trial]) -> list[tuple[DeviceLatency, ...]]:
            measured.extend(trial.number for trial in chosen)
            return [
                (DeviceLatency("latency@here", "5ms@here", 4.0, 3.0, 5.0, 6.0,
                               excess.get(trial.number, -0.1)),)
                for trial in chosen
            ]  # fmt: skip

        return of

    def numbers(many: int, excess: dict[int, float]) -> tuple[list[int], list[str]]:
        measured.clear()
        chosen, notes = holding(ranked, many, latencies_of(excess))
        return [trial.number for trial in chosen], notes

    assert numbers(2, {}) == ([0, 1], []) and measured == [0, 1]
    found, notes = numbers(2, {0: 0.2, 3: 0.5})
    assert (found, measured) == ([1, 2], [0, 1, 2, 3])
    assert notes == ["trial 0 misses 5ms@here by 20 %, so it was not trained again"]
    assert numbers(2, dict.fromkeys(range(9), 0.3)) == ([0, 1], []) and len(measured) == 8
    found, notes = numbers(2, dict.fromkeys(range(7), 0.3))
    assert found == [7] and notes == [
        "7 better networks miss a latency budget and were not trained again"
    ]
    assert numbers(0, {}) == ([], []) and not measured
