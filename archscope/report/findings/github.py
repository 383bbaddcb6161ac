"""Findings as GitHub Actions workflow commands, which annotate the lines of a pull request."""

from __future__ import annotations

from archscope.linter.records import source_of
from archscope.report.findings import LintReport, relative
from archscope.rules.rule import RULES, Finding

LEVELS = {"error": "error", "warning": "warning", "info": "notice"}
"""GitHub's levels, by severity."""


def render(report: LintReport) -> str:
    """Return one workflow command for each finding."""
    return "\n".join(map(_annotation, report.findings))


def _annotation(finding: Finding) -> str:
    fields = {"title": f"{finding.code} {RULES[finding.code].name}"}
    at = source_of(finding)
    if at is not None:
        place = {"file": relative(at.file), "line": str(at.line), "col": str(at.column)}
        fields = {**place, **fields}
    properties = ",".join(f"{key}={_property(value)}" for key, value in fields.items())
    message = _message(f"{finding.network}: {finding.message}")
    return f"::{LEVELS[finding.severity]} {properties}::{message}"


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
