"""The result of a search by a prior as tables and lines."""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote
from typing import Any

from archscope.records.study import LearningCheck, Predicted, PriorReport
from archscope.report.table import COUNT, NAME, SHARE, TEXT, Column, Part, Table, table_of
from archscope.report.tables.latency import device_latency_fields, device_latency_lines
from archscope.units import format_duration


def prior_search_parts(found: Any) -> list[Part]:
    """Return the tables and lines of a `PriorSearchResult`."""
    counts = ", ".join(f"{count:,} {outcome}" for outcome, count in found.outcomes.items())
    winner = f"{found.folder}/winner.yaml"
    parts = [
        f"{found.space}: {found.networks} networks; {counts}; {format_duration(found.seconds)}\n",
        *prior_parts(found.prior),
        f"{found.verdict}\n",
    ]
    if not found.met:
        return [*parts, f"page: {found.folder}/report.html"]
    return [
        *parts,
        f"winner: {winner}\n"
        f"page: {found.folder}/report.html\n"
        f"next: archscope analyze {quote(winner)}\n"
        f"      archscope lint {quote(winner)}\n"
        f"      archscope compare {' '.join((quote(winner), *_names(found.prior.references)))}\n"
        f"      archscope build {quote(winner)}",
    ]


def prior_parts(report: PriorReport) -> list[Table | str]:
    """Return a prior's predictions for the networks of a search and for known ones."""
    parts: list[Table | str] = [
        predicted_table(report.networks, f"the best by the prior '{report.prior}': {report.about}")
    ]
    if report.references:
        parts.append(
            predicted_table(report.references, "known networks, predicted by the same model")
        )
    every = [*report.networks, *report.references]
    parts += [f"{line}\n" for line in device_latency_lines(every, [row.name for row in every])]
    if report.refused:
        parts.append("\n".join(f"not predicted: {why}" for why in report.refused.values()) + "\n")
    if report.checks:
        parts.append(_checks(report.checks, report.images))
    return parts


def predicted_table(networks: Sequence[Predicted], title: str) -> Table:
    """Return a row for each predicted network."""
    return table_of(
        networks,
        (Column("network", NAME), lambda row: row.name),
        (Column("predicted top-1", SHARE, "predicted"), lambda row: row.mean / 100),
        (Column("from", SHARE, "interval_from"), lambda row: row.low / 100),
        (Column("to", SHARE, "interval_to"), lambda row: row.high / 100),
        (Column("macs", COUNT), lambda row: row.costs["macs"]),
        (Column("params", COUNT), lambda row: row.costs["params"]),
        *device_latency_fields(networks),
        (
            Column("differs from the fitted networks in", TEXT, "unlike"),
            lambda row: "; ".join(row.unlike),
        ),
        title=title,
    )


def _checks(checks: Sequence[LearningCheck], images: str) -> Table:
    return table_of(
        checks,
        (Column("trial", COUNT), lambda check: check.trial),
        (Column("accuracy", SHARE), lambda check: check.accuracy),
        (Column("chance", SHARE), lambda check: check.chance),
        (Column("learns", NAME), lambda check: "yes" if check.learns else check.reason or "no"),
        title=f"check that they learn, which says nothing of their accuracy: {images}",
    )


def _names(references: Sequence[Predicted]) -> list[str]:
    return [row.name for row in references]
