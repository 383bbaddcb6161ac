"""The Python interface: any network as an argument, and one clear error for anything else."""

from __future__ import annotations

from typing import Any

import pytest
from torch import nn

import archscope
from archscope.errors import ArchscopeError


def module() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(512, 4))


TEXT = """
input: [3, 8, 8]
layers:
  - conv: {out: 8, kernel: 3, padding: 1}
  - flatten
  - linear: {out: 4}
"""


@pytest.mark.parametrize("network", [
    "INPUT 3x8x8 -> CONV 8 -> RELU -> FC 4",
    archscope.load("INPUT 3x8x8 -> CONV 8 -> RELU -> FC 4"),
    module(),
    TEXT,
], ids=["word", "graph", "module", "text"])  # fmt: skip
def test_all_kinds_of_network_are_one_network(network: Any) -> None:
    result = archscope.analyze(network, input=(3, 8, 8), batch=2)
    assert result.totals.params == 3 * 9 * 8 + 8 + 512 * 4 + 4
    assert result.totals.macs == 2 * (3 * 9 * 8 * 64 + 512 * 4)


def test_comparison_prints_a_row_for_each_network() -> None:
    both = archscope.compare("resnet18", "resnet34", batch=2)
    assert [result.name for result in both.networks] == ["resnet18", "resnet34"]
    assert [line.split()[0] for line in str(both).splitlines()[2:]] == ["resnet18", "resnet34"]
    assert both._repr_markdown_().startswith("| network |")


def test_lint_knows_the_lines_of_a_spec() -> None:
    finding = archscope.lint("vgg16")[0]
    assert finding.at is not None
    assert finding.at.file.endswith("vgg16.yaml")
    assert all(found.at is None for found in archscope.lint(module(), input=(3, 8, 8)))


@pytest.mark.parametrize(("call", "words"), [
    (lambda: archscope.analyze(3), "got a int"),
    (lambda: archscope.analyze(nn.ReLU, input=(3, 8, 8)), "got the class ReLU"),
    (lambda: archscope.analyze(module()), r"input=\(3, 224, 224\)"),
    (lambda: archscope.analyze(module(), input=(3, 8, 8), set={"width": 2}), "of a spec"),
    (lambda: archscope.analyze(archscope.load("lenet5"), set={"width": 2}), "of a spec"),
    (lambda: archscope.analyze("resnet5"), "did you mean 'resnet50'"),
    (lambda: archscope.compare(), "got none"),
    (lambda: archscope.analyze("input: [3, 8, 8]\nlayers: [cnov: 8]"), "<text>:2:10: .* 'conv'"),
])  # fmt: skip
def test_what_is_no_network_is_one_clear_error(call: Any, words: str) -> None:
    with pytest.raises(ArchscopeError, match=words):
        call()


def test_an_analysis_prints_its_totals() -> None:
    lines = str(archscope.analyze("lenet5")).splitlines()
    assert lines[0] == "lenet5"
    assert " params            61,706" in lines
    assert not any("not recognised" in line for line in lines)


def test_a_graph_prints_in_a_line() -> None:
    assert str(archscope.load("siamese")) == "siamese: 21 nodes, from left 1x28x28, right 1x28x28"
