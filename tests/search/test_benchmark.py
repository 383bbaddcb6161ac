"""Policies on a small table whose best is known."""

from __future__ import annotations

import csv
from itertools import product
from pathlib import Path

import pytest

from archscope.errors import ArchscopeError
from archscope.language import document
from archscope.search.benchmark import compare, interval, read
from archscope.space.budget import budget
from archscope.space.search_space import space
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
    found = read(table[0], space(document(table[1])))
    assert len(found.scores) == 1 + 2 + 4 + 8 + 16


def test_all_policies_end_and_their_regret_never_grows(table: tuple[Path, Path]) -> None:
    rows, spec = table
    limit = budget("macs<=700K")
    found = compare(
        rows, str(spec), [limit], policies=("tpe", "evolution", "uniform"), paid=8, seeds=2
    )
    for one in found:
        marks = sorted(one.regret)
        assert one.low <= one.regret[marks[-1]] <= one.high
        assert 0 <= one.hypervolume <= 1 + 1e-9
        assert one.asks >= 1
    assert compare(rows, str(spec), [limit], policies=("tpe",), paid=8, seeds=2) == found[:1]


def test_what_is_small_enough_is_found_whole(table: tuple[Path, Path]) -> None:
    rows, spec = table
    (found,) = compare(rows, str(spec), [], policies=("uniform",), paid=40, seeds=1)
    assert found.regret[40] == pytest.approx(0)
    assert found.hypervolume == pytest.approx(1)


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
        read(table[0], space(document(table[1])))
    assert message in str(caught.value)


def test_the_command(table: tuple[Path, Path], run: Run) -> None:
    rows, spec = map(str, table)
    words = ["bench", "search", "--table", rows, "--space", spec, "--trials", "5", "--seeds", "2"]
    result = run(*words, "--samplers", "uniform,random", "-j", "1", "--format", "csv")
    assert result.code == 0
    assert result.out.splitlines()[0].startswith("sampler,seeds,regret@5")
    assert run(*words, "--samplers", "tpee").code == 2
    assert run("bench", "search", "--table", "none.csv", "--space", spec, "-j", "1").code == 2


def test_the_interval_of_a_mean_holds_it() -> None:
    low, high = interval([1.0, 2.0, 3.0, 4.0])
    assert 1 <= low < 2.5 < high <= 4
    assert interval([2.0, 2.0]) == (2.0, 2.0)
