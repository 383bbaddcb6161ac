"""Findings as JSON."""

from __future__ import annotations

import msgspec

from archscope.linter.records import record
from archscope.report.findings import LintReport


def render(report: LintReport) -> str:
    """Return the records of the findings."""
    records = list(map(record, report.findings))
    data = {"format": 1, "networks": report.networks, "findings": records}
    return msgspec.json.format(msgspec.json.encode(data), indent=2).decode()
