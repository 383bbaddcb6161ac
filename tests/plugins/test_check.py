"""Contracts that plug-ins can be held to: those of the manual keep them, broken ones are found."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from archscope.contracts.check import Check, expect, outcome
from archscope.plugins.kinds import KINDS
from tests.cli.conftest import Run
from tests.plugins.conftest import MANUAL, NAMES, Write
from tests.plugins.test_plugins import lines


def test_those_of_the_manual_keep_their_contracts(project: Write, run: Run) -> None:
    shown = MANUAL.read_text(encoding="utf-8").partition("$ archscope plugins check\n")[2]
    result = run("plugins", "check")
    assert lines(result.out) == lines(shown.partition("```")[0])
    assert (result.code, result.err) == (0, "")


LIES = {
    "star_relu": ("ops/star_relu.py", "elements=2 * prod", "elements=prod", "saved of scale="),
    "star_relu ": ("ops/star_relu.py", "return 2", "return 3", "params: it states 3, torch has 2"),
    "star_relu  ": ("ops/star_relu.py", "return 4 * prod", "return 5 * prod", "elementwise of"),
    "star_relu   ": ("ops/star_relu.py", '"Relu"', '"Abs"', "onnx of scale="),
    "LAB101": ("rules/sigmoid_gate.py", '== "sigmoid"', '== "relu"', "case 1 of sigmoid_gate.yaml"),
    "energy": (
        "metrics/energy.py",
        "160e-12 *",
        "-160e-12 *",
        "values: values must be finite and not",
    ),
    "climb": (
        "samplers/climb.py",
        "context.random()",
        "__import__('random')",
        "seed: the same seed gives another study",
    ),
    "climb ": (
        "samplers/climb.py",
        "context.strategy.gains(trial.values)",
        "trial.values",
        "direction of scores: the direction of scores is not heeded",
    ),
    "halves": ("datasets/halves.py", "(200, 50), 2", "(100, 50), 2", "content: lists images (100,"),
}


@pytest.mark.parametrize("name", LIES)
def test_a_broken_contract_is_a_line(name: str, project: Write, run: Run) -> None:
    file, old, new, said = LIES[name]
    text = Path("plugins", file).read_text(encoding="utf-8")
    assert old in text
    project(f"plugins/{file}", text.replace(old, new))
    result = run("plugins", "check", name.strip(), "--format", "json")
    (found,) = json.loads(result.out)["checks"]
    assert result.code == 1 and any(said in line for line in found["broken"])
    assert not any("\n" in line for line in found["broken"])


EXPORTER = """
import io

import torch

from archscope.exporters.formats import Format

FORMAT = Format("pickled", __name__, ".pkl", "a pickled module")


def export(network, opset):
    content = io.BytesIO()
    torch.save(network, content)
    return content.getvalue()


def load(content, weights):
    return torch.load(io.BytesIO(content), weights_only=False)
"""


def test_other_kinds_are_used_and_checked(project: Write, run: Run) -> None:
    project("plugins/exporters/pickled.py", EXPORTER)
    project("net.pattern", "INPUT 3x8x8 -> CONV 4 -> FC 10\n")
    # A process of its own: commands that were loaded before know the choices of that time.
    words = ["analyze", "net.pattern", "--count", "chip", "--format", "json"]
    printed = subprocess.check_output([sys.executable, "-m", "archscope", *words])
    totals = json.loads(printed)
    assert totals["totals"]["counted"] == 2 * totals["totals"]["macs"] > 0
    assert "chip" in run("reconcile", "net.pattern").out
    assert run("export", "net.yaml", "-o", "net.pkl").code == 0
    assert run("export", "net.yaml", "-o", "net.layers").code == 0
    assert Path("net.layers").read_text(encoding="utf-8").startswith("input input\nconv conv\n")
    result = run("plugins", "check", "chip", "pickled", "layers", ".pattern", "--format", "json")
    assert {row["kind"] for row in json.loads(result.out)["checks"]} | {*NAMES} == {*KINDS}
    for row in json.loads(result.out)["checks"]:
        assert row["checks"] and row["broken"] == []


def test_names_and_words_that_are_wrong(project: Write, run: Run) -> None:
    result = run("plugins", "check", "star_rely")
    assert result.err == "error: no plug-in adds 'star_rely', did you mean 'star_relu'?\n"
    assert run("plugins", "chek").err.startswith("error: no command 'plugins chek'")


def test_what_a_thing_raises_of_itself_is_a_broken_contract(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def checks(name: str, file: Path | None) -> Iterator[Check]:
        yield Check("first", lambda: expect(name, "it has no name"))
        yield Check("second", lambda: __import__("no_such_package"))
        raise ZeroDivisionError("of examples")

    monkeypatch.setattr("archscope.contracts.rules.checks", checks)
    found = outcome("rules", "")
    assert found.broken == (
        "first: it has no name",
        "further checks: ZeroDivisionError: of examples",
    )
    assert found.unchecked == ("second: ModuleNotFoundError: No module named 'no_such_package'",)
    assert found.checks == 2
