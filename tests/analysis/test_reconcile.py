from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest

from archscope import load
from archscope.analysis.count import COUNTS, TOOLS, convention, counted
from archscope.analysis.reconcile import reconcile
from archscope.cli import main
from archscope.language import zoo


@pytest.mark.parametrize("name", ["googlenet_bn", "convnext_tiny", "attention56", "lenet5"])
def test_reasons_sum_to_the_difference(name: str) -> None:
    result = reconcile(load(name))
    assert [tool.name for tool in result.tools] == list(COUNTS)[1:]
    for tool in result.tools:
        assert tool.counted == sum(counted(load(name).inference(), tool.name).values())
        assert tool.difference == sum(reason.amount for reason in tool.reasons)
        assert tool.counted == result.macs + tool.difference
        assert all(reason.amount and reason.layers for reason in tool.reasons)


@pytest.mark.parametrize("name", sorted(zoo()))
def test_what_tools_count_is_known_of_all_modules_that_they_were_tried_on(name: str) -> None:
    graph = load(name)
    layers = (layer for tool in reconcile(graph).tools for layer in tool.unknown)
    names = {layer.partition(" (")[0] for layer in layers}
    tried = {name for name in names if graph.by_name[name].op.modules}
    assert not tried


def test_known_reasons_of_resnet50() -> None:
    """49 ReLUs, 16 additions and two pools, by the shapes of the paper's table 1."""
    result = reconcile(load("resnet50"), ["ptflops"])
    (tool,) = result.tools
    amounts = {
        (reason.op, reason.reason.partition(":")[0]): reason.amount for reason in tool.reasons
    }
    pooled = 64 * 112 * 112
    assert amounts["maxpool", "pooling"] == amounts["maxpool", "bug"] == pooled
    assert amounts["relu", "activation"] == amounts["relu", "bug"]
    assert amounts["linear", "bias"] == 1000
    added = 3 * 256 * 56**2 + 4 * 512 * 28**2 + 6 * 1024 * 14**2 + 3 * 2048 * 7**2
    assert amounts["add", "addition"] == added


def test_command_shows_every_tool(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reconcile", "lenet5", "--format", "markdown"]) == 0
    shown = capsys.readouterr().out
    assert all(f"| {name} " in shown for name in COUNTS)


def test_json_and_csv_add_up(tmp_path: Path) -> None:
    whole, lines = tmp_path / "out.json", tmp_path / "out.csv"
    assert main(["reconcile", "resnet18", "--format", "json", "-o", str(whole)]) == 0
    assert main(["reconcile", "resnet18", "--format", "csv", "-o", str(lines)]) == 0
    told = json.loads(whole.read_text(encoding="utf-8"))
    assert (told["format"], told["input"]) == (1, [3, 224, 224])
    sums = dict.fromkeys(list(COUNTS)[1:], 0)
    with lines.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            sums[row["tool"]] += int(row["amount"])
    assert sums == {tool["name"]: tool["counted"] for tool in told["tools"]}


def test_only_the_tools_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--against", "thop", "--against", "fvcore", "--format", "json"]
    assert main(["reconcile", "lenet5", *words]) == 0
    assert [tool["name"] for tool in json.loads(capsys.readouterr().out)["tools"]] == [
        "thop",
        "fvcore",
    ]


def test_no_such_tool(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reconcile", "lenet5", "--against", "torchinfos"]) == 2
    assert "no tool 'torchinfos', did you mean 'torchinfo'?" in capsys.readouterr().err


@pytest.mark.parametrize("tool", TOOLS)
def test_analyze_counts_as_a_tool(tool: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["analyze", "lenet5", "--count", tool, "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["count"] == tool
    assert told["totals"]["counted"] == sum(counted(load("lenet5"), tool).values())


MANUAL = (Path(__file__).parents[2] / "docs" / "reconcile.md").read_text(encoding="utf-8")
SESSIONS = re.findall(r"^\$ archscope (.*)\n((?:(?!```).*\n)*)", MANUAL, re.MULTILINE)


@pytest.mark.parametrize("command, shown", SESSIONS, ids=[command for command, _ in SESSIONS])
def test_the_manual_shows_what_is_printed(
    command: str, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its second session is cut behind the first table."""
    words = command.split()
    ran = "--run" in words
    if ran:
        peers = pytest.importorskip("archscope.verify.peers")
        versions = {tool: convention(tool).version for tool in TOOLS}
        if versions != {tool: peers.installed(tool) for tool in TOOLS}:
            pytest.skip("the manual was written with other versions")
    assert main(words) == 0
    printed = [line.rstrip() for line in capsys.readouterr().out.splitlines() if line.strip()]
    expected = [line.rstrip() for line in shown.splitlines() if line.strip()]
    if "..." in expected:
        expected = expected[: expected.index("...")]
    assert len(expected) > 10
    assert printed[: len(expected)] == expected
    assert ran or len(printed) >= len(expected)
