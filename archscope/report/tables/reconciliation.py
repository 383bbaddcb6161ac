"""A reconciliation as tables: the number of each tool, then the reasons line by line."""

from __future__ import annotations

from typing import Any

from archscope.analysis.reconcile import Reconciliation, ToolCount
from archscope.report.table import COUNT, NAME, SHARE, TEXT, Column, Table
from archscope.report.tables.analysis import input_text

SIDE = (
    Column("tool", NAME),
    Column("version", NAME),
    Column("prints", COUNT),
    Column("difference", COUNT),
    Column("%", SHARE, "share"),
    Column("added to or replacing macs", TEXT, "counts"),
)
RUN = (Column("it printed", COUNT, "printed"), Column("", NAME, "equal"), Column("note"))
LINES = (
    Column("tool", NAME),
    Column("operator", NAME),
    Column("layers", COUNT),
    Column("amount", COUNT),
    Column("reason"),
)


def tables(result: Reconciliation) -> list[Any]:
    """Return the numbers, the reasons for their differences, and remarks."""
    return [headline(result), side_by_side(result), lines(result), *_remarks(result)]


def headline(result: Reconciliation) -> str:
    """Return the network, its input and its macs as two lines."""
    macs = f"{'>= ' if result.unknown else ''}{result.macs:,}"
    return f"{result.name}\ninput {input_text(result.input)}, one image, inference; macs {macs}"


def side_by_side(result: Reconciliation) -> Table:
    """Return one row for each tool, with what it printed if it was run."""
    ran = any(tool.run for tool in result.tools)
    macs = f"{'>= ' if result.unknown else ''}{result.macs:,}"
    first = ("macs", "", macs, None, None, "products only, no bias")
    rows: list[tuple[Any, ...]] = [(*first[:5], *(None,) * 3) if ran else first]
    for tool in result.tools:
        row: tuple[Any, ...] = (
            tool.name,
            tool.version,
            "unknown" if tool.counted is None else f"{tool.counted:,}",
            None if tool.difference is None else f"{tool.difference:+,}",
            tool.difference / result.macs if tool.difference and result.macs else None,
            tool.about,
        )
        rows.append((*row[:5], *_run(tool)) if ran else row)
    return Table("", (*SIDE[:5], *RUN) if ran else SIDE, tuple(rows))


def _run(tool: ToolCount) -> tuple[Any, ...]:
    run = tool.run
    if run is None:
        return None, None, None
    equal = {True: "equal", False: "DIFFERS", None: ""}[run.equal]
    printed = None if run.counted is None else f"{run.counted:,}"
    return printed, equal, run.note


def lines(result: Reconciliation) -> Table:
    """Return one row for each reason; the amounts of a tool add up to its difference."""
    rows = tuple(
        (tool.name, reason.op, reason.layers, f"{reason.amount:+,}", reason.reason)
        for tool in result.tools
        for reason in tool.reasons
    )
    return Table("from macs to what a tool prints", LINES, rows)


def records(result: Reconciliation) -> Table:
    """Return macs and reasons as one table; the amounts of a tool add up to its number."""
    rows: list[tuple[Any, ...]] = []
    for tool in result.tools:
        rows.append((tool.name, tool.version, "", None, result.macs, "macs"))
        rows += [
            (tool.name, tool.version, reason.op, reason.layers, reason.amount, reason.reason)
            for reason in tool.reasons
        ]
        rows += [(tool.name, tool.version, name, 1, None, "unknown") for name in tool.unknown]
    return Table("", (LINES[0], SIDE[1], *LINES[1:]), tuple(rows))


def _remarks(result: Reconciliation) -> list[Any]:
    unknown = [
        f"{tool.name}: not known what it counts of {', '.join(tool.unknown[:3])}"
        f"{f' and {len(tool.unknown) - 3} more' if len(tool.unknown) > 3 else ''}"
        for tool in result.tools
        if tool.unknown
    ]
    rows = tuple((tool.name, note) for tool in result.tools for note in tool.written)
    title = "where a network is written otherwise than build writes it"
    columns = (Column("tool", NAME), Column("then"))
    return [*unknown, *([Table(title, columns, rows)] if rows else [])]
