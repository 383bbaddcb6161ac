"""Convert findings to records of the JSON contract."""

from __future__ import annotations

import os
from typing import Any

from archscope.ir import Source
from archscope.rules.rule import RULES, Finding
from archscope.sources import is_foreign


def record(finding: Finding) -> dict[str, Any]:
    """Return a finding as a record of the JSON contract."""
    at = source_of(finding)
    return {
        "code": finding.code,
        "rule": RULES[finding.code].name,
        "severity": finding.severity,
        "network": finding.network,
        "node": finding.node,
        "scope": finding.scope,
        "file": None if at is None else at.file.replace(os.sep, "/"),
        "line": None if at is None else at.line,
        "column": None if at is None else at.column,
        "message": finding.message,
        "evidence": finding.evidence,
        "others": finding.others,
        "fix": None
        if finding.fix is None
        else {"about": finding.fix.about, "safe": finding.fix.safe},
    }


def source_of(finding: Finding) -> Source | None:
    """Return the location of a finding: in a spec, or in the Python code that calls a layer.

    None for other imported models.
    """
    at = finding.at
    if at is None or at.file.endswith(".py"):
        return at
    return None if is_foreign(at.file) else at
