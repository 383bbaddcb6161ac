"""Policies on a small table with a known optimum."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from archscope.analysis.canonical import canonical
from archscope.errors import ArchscopeError, OptionError
from archscope.language import document
from archscope.records.study import Job
from archscope.search.benchmark import Answers, SamplerQuality, Source, compare_samplers, truth_of
from archscope.search.benchmark.nearest_rows import NearestRows
from archscope.search.benchmark.tables import read_table
from archscope.search.samplers import SAMPLERS
from archscope.search.strategy import Strategy
from archscope.search.study import Study
from archscope.space.budget import Budget, budget, budgets, violation, with_edge
from archscope.space.costs import costs_of
from archscope.space.search_space import Space, space
from tests.cli.conftest import Run

SPACE = """
input: [3, 16, 16]
blocks:
  layer:
    with: {kind: !choice [none, thin, wide]}
    layers:
      - conv: {out: =8 if kind == 'thin' else 16, kernel: 3, padding: 1}
        when: =kind != 'none'
layers:
  - layer: {}
    repeat: 4
  - global_avgpool
"""


@pytest.fixture
def table(tmp_path: Path) -> tuple[Path, Path]:
    spec = tmp_path / "small.yaml"
    spec.write_text(SPACE, encoding="utf-8")
    rows = tmp_path / "rows.csv"
    with rows.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["arch", "mean_acc"])
        for digits in product("012", repeat=4):
            layers = [
                int(digit) for digit in digits if digit != "0"
            ]  # equal networks, equal scores
            score = sum(10 * one / (place + 1) for place, one in enumerate(layers))
            writer.writerow(["".join(digits), f"{score:.6f}"])
    return rows, spec


def uniform(source: Source, limits: Sequence[Budget], **options: Any) -> SamplerQuality:
    """Return how good uniform draws are that train all there is."""
    found = compare_samplers(source, limits, samplers=("uniform",), trials=40, seeds=1, **options)
    return found.samplers[0]


def test_equal_networks_are_one_row(table: tuple[Path, Path]) -> None:
    found = read_table(table[0], space(document(table[1])))
    assert len(found.scores) == 1 + 2 + 4 + 8 + 16


def test_all_policies_end_and_their_regret_never_grows(table: tuple[Path, Path]) -> None:
    rows, spec = table
    limit = budget("macs<=700K")
    source = Source(rows, str(spec))
    found = compare_samplers(
        Source(rows, str(spec)),
        [limit],
        samplers=("tpe", "evolution", "uniform"),
        trials=8,
        seeds=2,
    )
    for one in found.samplers:
        marks = sorted(one.regret)
        assert one.low <= one.regret[marks[-1]] <= one.high
        assert 0 <= one.hypervolume <= 1 + 1e-9
        assert one.proposals >= 1
    again = compare_samplers(source, [limit], samplers=("tpe",), trials=8, seeds=2)
    assert again.samplers == found.samplers[:1]


def test_what_is_small_enough_is_found_whole(table: tuple[Path, Path]) -> None:
    rows, spec = table
    found = compare_samplers(
        Source(rows, str(spec)), samplers=("uniform",), trials=40, seeds=1
    ).samplers[0]
    assert found.regret[40] == pytest.approx(0)
    assert found.hypervolume == pytest.approx(1)


@pytest.mark.parametrize(
    "text",
    ["params<=3K", "peak<=12KiB", "access<=100KiB", "weights 2KiB..20KiB", "macs<=700K"],
)
def test_regret_is_to_the_best_within_any_budget(table: tuple[Path, Path], text: str) -> None:
    rows, spec = table
    limits = budgets([text], edge=0)
    read = read_table(rows, space(document(spec)))
    costs = {arch: costs_of(read.space.graph(choices)) for arch, choices in networks(read.space)}
    with rows.open(encoding="utf-8") as file:
        scores = {row["arch"]: float(row["mean_acc"]) for row in csv.DictReader(file)}
    inside = {arch for arch in scores if violation(limits, costs[arch]) == 0}
    assert 0 < len(inside) < len(scores)
    best = max(scores[arch] for arch in inside)
    assert read.inside(limits).best == pytest.approx(best)
    # Of the few networks inside, a search that trains them all finds the best and no better one.
    found = compare_samplers(
        Source(rows, str(spec)), limits, samplers=("uniform",), trials=40, seeds=1
    ).samplers[0]
    assert found.regret[40] == pytest.approx(0)
    assert found.hypervolume == pytest.approx(1)


def networks(found: Space) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every row of a table by hand."""
    for digits in product(range(3), repeat=len(found.decisions)):
        choices = {
            d.path: d.values()[digit] for d, digit in zip(found.decisions, digits, strict=True)
        }
        yield "".join(map(str, digits)), choices


def test_an_edge_limits_the_search_and_not_the_regret(table: tuple[Path, Path]) -> None:
    rows, spec = table
    read = read_table(rows, space(document(spec)))
    limits = budgets(["params<=3200"], edge=0)
    best = read.inside(limits).best
    near = read.inside(with_edge(limits, 0.97)).best
    found = uniform(Source(rows, str(spec)), limits, edge=0.97)
    assert near < best
    assert found.regret[40] == pytest.approx(best - near)


def test_a_table_of_some_networks_is_searched_by_its_nearest_rows(
    table: tuple[Path, Path], tmp_path: Path
) -> None:
    rows, spec = table
    lines = rows.read_text(encoding="utf-8").splitlines()
    some = tmp_path / "some.csv"
    some.write_text("\n".join([lines[0], *lines[1::3]]), encoding="utf-8")
    limits = budgets(["macs<=700K"], edge=0)
    read = read_table(some, space(document(spec)))
    assert not read.whole and len(read.rows) == 27
    known = read.inside(limits)
    found = compare_samplers(Source(some, str(spec)), limits, trials=40, seeds=1)
    assert [quality.sampler for quality in found.samplers] == list(SAMPLERS)
    assert "27 of 81 networks" in found.about[0]
    for quality in found.samplers:  # each trains all rows inside, and nothing else
        assert quality.regret[40] == pytest.approx(0)
        assert quality.hypervolume == pytest.approx(1)
    answers = Answers(read, 0.0, 0)
    study = Study(read.space, Strategy(budgets=limits), answers, trained_as=answers.network)
    study.proposer = NearestRows(study.proposer, read)
    study.run(100)
    trained = [trial.choices for trial in study.trials if trial.trained]
    assert all(choices in [row.choices for row in read.rows] for choices in trained)
    inside = [
        graph for row in read.rows
        if violation(limits, costs_of(graph := read.space.graph(row.choices))) == 0
    ]  # fmt: skip
    assert len(trained) == len({canonical(graph) for graph in inside})
    assert known.best == max(answers.true.values())


@pytest.mark.parametrize("kind", ["blocks", "pairs"])
def test_a_model_is_the_truth_of_networks_without_rows(table: tuple[Path, Path], kind: str) -> None:
    rows, spec = table
    source = Source(rows, str(spec), model=kind)
    truth = truth_of(source)
    limits = budgets(["macs<=700K"], edge=0)
    inside = [
        choices for _, choices in networks(truth.space)
        if violation(limits, costs_of(truth.space.graph(choices))) == 0
    ]  # fmt: skip
    assert truth.inside(limits).best == pytest.approx(
        max(truth.score(choices, "") for choices in inside)
    )
    found = compare_samplers(
        source, limits, samplers=("surrogate", "uniform"), trials=12, seeds=2, noise=0.5
    )
    assert "Spearman correlation is 0.9" in found.about[0]
    assert "noise of 0.5" in found.about[1]
    for quality in found.samplers:
        assert quality.hypervolume is None
        assert quality.regret[12] > -1e-9
        assert quality.spread[12] is not None


def test_noise_is_told_to_samplers_and_not_in_the_regret(table: tuple[Path, Path]) -> None:
    rows, spec = table
    truth = truth_of(Source(rows, str(spec)))
    (_, choices), *_ = networks(truth.space)
    scores = []
    for seed in (0, 0, 1):
        answers = Answers(truth, 2.0, seed)
        graph = answers.network(truth.space.masked(choices))
        answers.submit(Job(7, "", canonical(graph)), graph)
        assert answers.true[7] == truth.score(choices, canonical(graph))
        scores.append(answers.collect().score)
    assert scores[0] == scores[1] != scores[2]
    assert answers.true[7] not in scores


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("8ms@cpu", "latency must be measured"),
        ("peak<=1KiB", "no network of the table is within"),
    ],
)
def test_budgets_that_a_table_cannot_hold(
    table: tuple[Path, Path], text: str, message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        compare_samplers(Source(table[0], str(table[1])), budgets([text], edge=0), seeds=1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("arch\n0000\n", "needs the columns arch and mean_acc, has arch"),
        ("arch,mean_acc\n000,1\n", "arch must have a digit for each of the 4 decisions"),
        ("arch,mean_acc\n0009,1\n", "has 3 alternatives, got '9'"),
        ("arch,mean_acc\n0000,high\n", "mean_acc must be a number, got 'high'"),
        ("arch,mean_acc\n0000,nan\n", "mean_acc must be a number, got 'nan'"),
    ],
)
def test_mistakes_in_a_table(table: tuple[Path, Path], text: str, message: str) -> None:
    table[0].write_text(text, encoding="utf-8")
    with pytest.raises(ArchscopeError, match=r"rows\.csv") as caught:
        read_table(table[0], space(document(table[1])))
    assert message in str(caught.value)


def test_the_command(table: tuple[Path, Path], run: Run) -> None:
    rows, spec = map(str, table)
    words = ["bench", "search", "--table", rows, "--space", spec, "--trials", "5", "--seeds", "2"]
    result = run(*words, "--samplers", "uniform,random", "-j", "1", "--format", "csv")
    assert result.code == 0
    assert result.out.splitlines()[0].startswith("sampler,seeds,regret@5")
    assert run(*words, "--samplers", "tpee").code == 2
    assert run("bench", "search", "--table", "none.csv", "--space", spec, "-j", "1").code == 2


def test_equal_scores_dominate_nothing_and_a_sampler_named_twice_is_one(
    table: tuple[Path, Path], run: Run
) -> None:
    rows, spec = map(str, table)
    text = table[0].read_text(encoding="utf-8")
    table[0].write_text(re.sub(r",[\d.]+$", ",0.5", text, flags=re.MULTILINE), encoding="utf-8")
    words = ["bench", "search", "--table", rows, "--space", spec, "--trials", "2", "--seeds", "1"]
    found = run(*words, "--samplers", "uniform, uniform", "-j", "1", "--format", "json")
    assert found.code == 0, found.err
    (only,) = json.loads(found.out)["samplers"]
    assert (only["regret"]["2"], only["hypervolume"]) == (0.0, 1.0)
