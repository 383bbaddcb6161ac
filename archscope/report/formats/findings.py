"""Findings as lines of text, as annotations of GitHub, and counted."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from archscope.ir import Source
from archscope.report.table import COUNT, NAME, Column, Table
from archscope.rules.rule import INFO, RULES, Finding
from archscope.sources import is_foreign

LEVELS = {"error": "error", "warning": "warning", "info": "notice"}
"""GitHub's words for severities."""


def line(finding: Finding) -> str:
    """Return a finding as one line: where, which rule, what was measured."""
    where = place(finding)
    mark = " [*]" if finding.fix and finding.fix.safe else ""
    more = f" (and {len(finding.others)} more)" if finding.others else ""
    return f"{where}: {finding.code}{mark} {finding.message}{more}"


def place(finding: Finding) -> str:
    """Return where a finding is, for people: the file as seen from here."""
    at = spot(finding)
    if at is None:
        return finding.network if finding.node is None else f"{finding.network}: {finding.node}"
    path = f"{near(at.file)}:{at.line}:{at.column}"
    return path if Path(at.file).stem == finding.network else f"{path}: {finding.network}"


def spot(finding: Finding) -> Source | None:
    """Return the line that a finding is about; a model that was imported has none."""
    return None if finding.at is None or is_foreign(finding.at.file) else finding.at


def near(file: str) -> str:
    """Return a path relative to the working folder if it is in there."""
    path = Path(file)
    if path.is_absolute() and path.is_relative_to(Path.cwd()):
        return path.relative_to(Path.cwd()).as_posix()
    return file


def annotation(finding: Finding) -> str:
    """Return a finding as a workflow command of GitHub Actions."""
    fields = {"title": f"{finding.code} {RULES[finding.code].name}"}
    at = spot(finding)
    if at is not None:
        fields = {
            "file": near(at.file),
            "line": str(at.line),
            "col": str(at.column),
            **fields,
        }
    told = ",".join(f"{key}={_property(value)}" for key, value in fields.items())
    return (
        f"::{LEVELS[finding.severity]} {told}::{_message(f'{finding.network}: {finding.message}')}"
    )


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")


def statistics(findings: Iterable[Finding]) -> Table:
    """Return how often each rule found something, the most frequent first."""
    counts: Counter[str] = Counter()
    networks: dict[str, set[str]] = {}
    for finding in findings:
        counts[finding.code] += 1 + len(finding.others)
        networks.setdefault(finding.code, set()).add(finding.network)
    columns = (
        Column("code", NAME), Column("rule", NAME), Column("findings", COUNT),
        Column("networks", COUNT), Column("fix", NAME),
    )  # fmt: skip
    rows = tuple(
        (code, RULES[code].name, count, len(networks[code]), RULES[code].fixes)
        for code, count in sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    )
    return Table("", columns, rows)


def summary(shown: Sequence[Finding], hidden: int, networks: int) -> str:
    """Return the last line: how much was found, and what else could be seen or done."""
    safe = sum(bool(finding.fix and finding.fix.safe) for finding in shown)
    unsafe = sum(bool(finding.fix and not finding.fix.safe) for finding in shown)
    text = f"{_count(len(shown), 'finding')} in {_count(networks, 'network')}"
    notes = []
    if safe:
        notes.append(f"{safe} fixable with --fix")
    if unsafe:
        notes.append(f"{unsafe} with --unsafe-fixes")
    if hidden:
        notes.append(f"{hidden} of lower severity not shown, see --severity {INFO}")
    return f"{text} ({'; '.join(notes)})" if notes else text


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def record(finding: Finding) -> dict[str, Any]:
    """Return a finding as the record of the JSON contract."""
    at = spot(finding)
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
