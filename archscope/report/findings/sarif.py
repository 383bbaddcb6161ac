"""Findings in SARIF 2.1.0, the OASIS format that code hosts and editors read."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from archscope import __version__
from archscope.linter.records import source_of
from archscope.report.findings import LintReport, relative
from archscope.report.tables.rules import about, details
from archscope.rules.rule import RULES, Finding

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
LEVELS = {"error": "error", "warning": "warning", "info": "note"}
"""SARIF's levels, by severity."""


def render(report: LintReport) -> str:
    """Return the log of one run of the linter."""
    codes = sorted(RULES)
    log = {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "archscope",
                        "version": __version__,
                        "rules": [_rule(code) for code in codes],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "results": [
                    _result(finding, codes.index(finding.code)) for finding in report.findings
                ],
            }
        ],
    }
    return msgspec.json.format(msgspec.json.encode(log), indent=2).decode()


def _rule(code: str) -> dict[str, Any]:
    cls = RULES[code]
    return {
        "id": code,
        "name": cls.name,
        "shortDescription": {"text": about(cls)},
        "fullDescription": {"text": "\n\n".join(details(cls)) or about(cls)},
        "defaultConfiguration": {"level": LEVELS[cls.severity]},
    }


def _result(finding: Finding, number: int) -> dict[str, Any]:
    return {
        "ruleId": finding.code,
        "ruleIndex": number,
        "level": LEVELS[finding.severity],
        "message": {"text": f"{finding.network}: {finding.message}"},
        "locations": [_location(finding)],
        "properties": {"evidence": finding.evidence, "others": finding.others},
    }


def _location(finding: Finding) -> dict[str, Any]:
    name = finding.network if finding.node is None else f"{finding.network}.{finding.node}"
    location: dict[str, Any] = {"logicalLocations": [{"fullyQualifiedName": name}]}
    at = source_of(finding)
    if at is not None:
        file = relative(at.file)
        path = Path(file)
        location["physicalLocation"] = {
            "artifactLocation": {"uri": path.as_uri() if path.is_absolute() else quote(file)},
            "region": {"startLine": at.line, "startColumn": at.column},
        }
    return location
