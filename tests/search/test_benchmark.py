"""Policies on a small table whose best is known."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from archscope.errors import ArchscopeError, OptionError
from archscope.language import document
from archscope.search.benchmark import compare_samplers, read_table
from archscope.space.budget import budget, budgets, violation, with_edge
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


def test_equal_networks_are_one_row(table: tuple[Path, Path]) -> None:
    found = read_table(table[0], space(document(table[1])))
    assert len(found.scores) == 1 + 2 + 4 + 8 + 16


def test_all_policies_end_and_their_regret_never_grows(table: tuple[Path, Path]) -> None:
    rows, spec = table
    limit = budget("macs<=700K")
    found = compare_samplers(
        rows, str(spec), [limit], samplers=("tpe", "evolution", "uniform"), trials=8, seeds=2
    )
    for one in found:
        marks = sorted(one.regret)
        assert one.low <= one.regret[marks[-1]] <= one.high
        assert 0 <= one.hypervolume <= 1 + 1e-9
        assert one.proposals >= 1
    again = compare_samplers(rows, str(spec), [limit], samplers=("tpe",), trials=8, seeds=2)
    assert again == found[:1]


def test_what_is_small_enough_is_found_whole(table: tuple[Path, Path]) -> None:
    rows, spec = table
    (found,) = compare_samplers(rows, str(spec), [], samplers=("uniform",), trials=40, seeds=1)
    assert found.regret[40] == pytest.approx(0)
    assert found.hypervolume == pytest.approx(1)


@pytest.mark.parametrize(
    "text",
    ["params<=3K", "peak<=12KiB", "access<=100KiB", "weights 2KiB..20KiB", "macs<=700K"],
)
def test_regret_is_to_the_best_inside_any_budget(table: tuple[Path, Path], text: str) -> None:
    rows, spec = table
    limits = budgets([text], edge=0)
    read = read_table(rows, space(document(spec)))
    costs = {arch: costs_of(read.space.graph(choices)) for arch, choices in networks(read.space)}
    with rows.open(encoding="utf-8") as file:
        scores = {row["arch"]: float(row["mean_acc"]) for row in csv.DictReader(file)}
    inside = {arch for arch in scores if violation(limits, costs[arch]) == 0}
    assert 0 < len(inside) < len(scores)
    best = max(scores[arch] for arch in inside)
    assert max(score for _, score in read.inside(limits)) == pytest.approx(best)
    # Of the few networks inside, a search that trains them all finds the best and no better one.
    (found,) = compare_samplers(rows, str(spec), limits, samplers=("uniform",), trials=40, seeds=1)
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
    best = max(score for _, score in read.inside(limits))
    near = max(score for _, score in read.inside(with_edge(limits, 0.97)))
    (found,) = compare_samplers(
        rows, str(spec), limits, edge=0.97, samplers=("uniform",), trials=40, seeds=1
    )
    assert near < best
    assert found.regret[40] == pytest.approx(best - near)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("8ms@cpu", "latency, which must be measured"),
        ("peak<=1KiB", "no network of the table is inside"),
    ],
)
def test_budgets_that_a_table_cannot_hold(
    table: tuple[Path, Path], text: str, message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        compare_samplers(table[0], str(table[1]), budgets([text], edge=0), seeds=1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("arch\n0000\n", "needs the columns arch and mean_acc, has arch"),
        ("arch,mean_acc\n000,1\n", "arch must have a digit for each of the 4 decisions"),
        ("arch,mean_acc\n0009,1\n", "has 3 alternatives, got '9'"),
        ("arch,mean_acc\n0000,high\n", "mean_acc must be a number, got 'high'"),
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
