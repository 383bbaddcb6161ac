"""Findings as lines of text, followed by a summary."""

from __future__ import annotations

from pathlib import Path

from archscope.linter.records import source_of
from archscope.report.findings import LintReport, relative
from archscope.rules.rule import INFO, Finding


def render(report: LintReport) -> str:
    """Return one line for each finding, and the summary."""
    return "\n".join([*map(line, report.findings), summary(report)])


def line(finding: Finding) -> str:
    """Return a finding as one line: its location, rule and message."""
    mark = " [*]" if finding.fix and finding.fix.safe else ""
    more = f" (and {len(finding.others)} more)" if finding.others else ""
    return f"{_location(finding)}: {finding.code}{mark} {finding.message}{more}"


def _location(finding: Finding) -> str:
    at = source_of(finding)
    if at is None:
        return finding.network if finding.node is None else f"{finding.network}: {finding.node}"
    path = f"{relative(at.file)}:{at.line}:{at.column}"
    if at.file.endswith(".py"):  # a line of `forward` may call several layers
        return f"{path}: {finding.node}"
    return path if Path(at.file).stem == finding.network else f"{path}: {finding.network}"


def summary(report: LintReport) -> str:
    """Return the last line: the number of findings, how many are fixable and how many hidden."""
    fixes = [finding.fix for finding in report.findings if finding.fix]
    safe = sum(fix.safe for fix in fixes)
    total = f"{_count(len(report.findings), 'finding')} in {_count(report.networks, 'network')}"
    notes = []
    if safe:
        notes.append(f"{safe} fixable with --fix")
    if len(fixes) > safe:
        notes.append(f"{len(fixes) - safe} with --unsafe-fixes")
    if report.hidden:
        notes.append(f"{report.hidden} of lower severity not shown, see --severity {INFO}")
    return f"{total} ({'; '.join(notes)})" if notes else total


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
