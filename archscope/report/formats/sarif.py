"""Findings in SARIF 2.1.0, the format of OASIS that code hosts and editors read."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from archscope.report.formats.findings import near, spot
from archscope.rules.rule import RULES, Finding

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
LEVELS = {"error": "error", "warning": "warning", "info": "note"}
"""SARIF's words for severities."""


def log(findings: Iterable[Finding], version: str) -> dict[str, Any]:
    """Return the log of one run of the linter."""
    codes = sorted(RULES)
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "archscope",
                        "version": version,
                        "rules": [_rule(code) for code in codes],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "results": [_result(finding, codes.index(finding.code)) for finding in findings],
            }
        ],
    }


def _rule(code: str) -> dict[str, Any]:
    cls = RULES[code]
    first, _, rest = (cls.__doc__ or "").strip().partition("\n")
    return {
        "id": code,
        "name": cls.name,
        "shortDescription": {"text": first},
        "fullDescription": {"text": rest.strip() or first},
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
    at = spot(finding)
    if at is not None:
        file = near(at.file)
        path = Path(file)
        location["physicalLocation"] = {
            "artifactLocation": {"uri": path.as_uri() if path.is_absolute() else quote(file)},
            "region": {"startLine": at.line, "startColumn": at.column},
        }
    return location
