"""Every output format shows every row of a table; a new file in the folder is tested here.

What a text is, is seen from its content: JSON is parsed, and so is what the CLI calls CSV. The
layers of a chain, of a branching network and of a table too wide for a terminal are shown.
"""

from __future__ import annotations

import csv
import io
import json
import re
from itertools import count
from types import ModuleType
from typing import Any

import click
import pytest

from archscope import Analysis, analyze, load
from archscope.report import formats
from archscope.report.table import CommandOutput, Heading
from archscope.report.tables.analysis import headline, layer_records, layer_table
from archscope.units import format_count
from tests.cli.conftest import Run, run  # noqa: F401  the fixture
from tests.nets import Net, chain

COUNTER = count()


def tiny() -> Analysis:
    return analyze(chain(("conv", {"out": 4, "kernel": 3}), ("relu", {}), x=(3, 8, 8)))


def branching() -> Analysis:
    net = Net(x=(4, 6, 6))
    left = net("conv", "x", name="left", out=5, kernel=3, padding=1)
    right = net("maxpool", "x", name="right", kernel=3, stride=1, padding=1)
    return analyze(net.graph(net("concat", left, right, name="both")))


def many() -> Analysis:
    return analyze(load("googlenet"))


NETWORKS = {function.__name__: function for function in (tiny, branching, many)}


def output_of(analysis: Analysis) -> CommandOutput:
    return CommandOutput(
        [Heading("The network"), headline(analysis), layer_table(analysis, 0)],
        lambda: analysis,
        lambda: layer_records(analysis),
    )


def check(form: str, analysis: Analysis) -> None:
    text = formats.render(output_of(analysis), form)
    assert text == formats.render(output_of(analysis), form), "the same output gives the same text"
    assert text == click.unstyle(formats.render(output_of(analysis), form, screen=True))
    if text.startswith(("{", "[")):
        one_object = "\n{" not in text.strip()[1:]
        for document in [text] if one_object else text.splitlines():
            json.loads(document)
    text = text.replace(r"\_", "_").replace(r"\,", " ")  # as LaTeX writes them
    words = set(re.split(r"[\s|,\"]+", text))
    for layer in analysis.layers:
        assert layer.name in words
        assert format_count(layer.macs) in text or str(layer.macs) in words


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("form", formats.FORMATS)
def test_a_format_has_every_row(form: str, network: str) -> None:
    check(form, NETWORKS[network]())


@pytest.mark.parametrize("form", formats.FORMATS)
def test_commands_take_the_format(form: str, run: Run) -> None:  # noqa: F811
    result = run("compare", "lenet5", "alexnet", "--format", form)
    assert (result.code, result.err) == (0, "")
    assert "lenet5" in result.out and "alexnet" in result.out


def test_csv_has_a_cell_for_each_column() -> None:
    rows = list(csv.reader(io.StringIO(formats.render(output_of(many()), "csv"))))
    assert {len(row) for row in rows} == {len(rows[0])}


@pytest.mark.parametrize(
    "broken",
    [
        lambda output, screen: "nothing",
        lambda output, screen: f"{{{formats.render(output, 'json')}",
        lambda output, screen: "\n".join(formats.render(output, "csv").splitlines()[:-1]),
        lambda output, screen: f"{next(COUNTER)} {formats.render(output, 'csv')}",
        lambda output, screen: formats.render(output, "csv" if screen else "markdown"),
    ],
)
def test_a_broken_format_is_found(broken: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    module, load_module = ModuleType("broken"), formats.import_module
    module.render = broken  # type: ignore[attr-defined]
    monkeypatch.setattr(
        formats,
        "import_module",
        lambda name: module if name.endswith(".broken") else load_module(name),
    )
    with pytest.raises((AssertionError, ValueError)):
        check("broken", tiny())
