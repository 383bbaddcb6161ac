"""Every format of findings has every finding with its place; a new file in the folder is tested.

What a text is, is seen from its content: JSON is parsed.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from archscope.language import document, graph
from archscope.linter import lint
from archscope.report import findings
from archscope.report.findings import LintReport
from archscope.rules.rule import RULES, Finding
from tests.cli.conftest import Run, run  # noqa: F401  the fixture

SPEC = """
input: [4, 8, 8]
layers:
  - conv: 8
  - relu
  - relu
  - conv: {out: 8, kernel: 7, bias: true}
  - batchnorm
  - sigmoid
"""


def found() -> tuple[Finding, ...]:
    read = document("twice.yaml", text=SPEC.encode())
    return tuple(lint(graph(read), read))


def check(form: str, listed: tuple[Finding, ...]) -> None:
    report = LintReport(listed, hidden=0, networks=1)
    text = findings.render(report, form)
    assert text == findings.render(report, form)
    assert text != findings.render(LintReport(listed[1:], 0, 1), form)
    if text.startswith(("{", "[")):
        text = json.dumps(json.loads(text), ensure_ascii=False)
    for finding in listed:
        assert finding.code in text
        assert finding.message.split(",")[0].split(":")[0].split("%")[0] in text
        if finding.at is not None:
            assert Path(finding.at.file).name in text
            assert str(finding.at.line) in text


@pytest.mark.parametrize("form", findings.FORMATS)
def test_a_format_has_every_finding(form: str) -> None:
    listed = found()
    assert len({finding.code for finding in listed}) >= 3
    assert any(finding.at for finding in listed)
    check(form, listed)


@pytest.mark.parametrize("form", findings.FORMATS)
def test_lint_takes_the_format(form: str, run: Run) -> None:  # noqa: F811
    result = run("lint", "-", "--format", form, stdin=SPEC.encode())
    assert (result.code, result.err) == (1, "")
    assert "ACT103" in result.out


@pytest.mark.parametrize(
    "broken",
    [
        lambda report: "nothing",
        lambda report: findings.render(report, "json")[:-1],
        lambda report: findings.render(LintReport(report.findings[:1], 0, 1), "text"),
    ],
)
def test_a_broken_format_is_found(broken: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    module, load_module = ModuleType("broken"), findings.import_module
    module.render = broken  # type: ignore[attr-defined]
    monkeypatch.setattr(
        findings,
        "import_module",
        lambda name: module if name.endswith(".broken") else load_module(name),
    )
    with pytest.raises((AssertionError, ValueError)):
        check("broken", found())


def test_sarif_describes_each_rule_in_paragraphs_without_thresholds() -> None:
    log = json.loads(findings.render(LintReport((), 0, 1), "sarif"))
    for rule in log["runs"][0]["tool"]["driver"]["rules"]:
        text = rule["fullDescription"]["text"]
        assert "\n " not in text and text == text.strip()
        assert not any(f"{name}: " in text for name in RULES[rule["id"]].__struct_fields__)
        assert rule["shortDescription"]["text"].endswith((".", ","))


def test_every_run_reads_its_own_standard_input(run: Run) -> None:  # noqa: F811
    assert run("lint", "-", stdin=b"input: [3]\ninput: [3]").code == 2
    assert run("lint", "-", stdin=SPEC.encode()).code == 1
