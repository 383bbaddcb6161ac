"""The report of a benchmark as Markdown tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from benchmarks.race import Row

OURS = "ABCD"
"""Letters of the warm contestants that are ours; they are the first rows of each network."""


class Report(Struct, frozen=True):
    """One run of the benchmark; times are in seconds."""

    format: int
    machine: str
    versions: dict[str, str]
    repeats: int
    warm: dict[str, list[Row]]  # by network, ours first
    cold: dict[str, list[Row]]  # by network, ours first
    linearity: dict[int, Row]  # by layers


def markdown(report: Report) -> Iterator[str]:
    """Yield the lines of the report."""
    listed = ", ".join(f"{name} {number}" for name, number in report.versions.items())
    yield f"{report.machine}; {listed}; medians of {report.repeats} turns."
    shares = [f"÷ {letter}" for letter in OURS]
    if report.warm:
        yield from ["", "## Warm: the fastest peer, and how often we are done in its time", ""]
        lines = [
            fastest(name, rows, on) for name, rows in report.warm.items() for on in ("", "cpu")
        ]
        yield from table(["network", "among", "fastest", "ms", "best", *shares], lines)
    for network, rows in report.warm.items():
        yield from ["", f"### {network}", ""]
        lines = [line(row, rows[: len(OURS)]) for row in rows]
        yield from table(["tool", "MACs", "ms", "best", *shares], lines)
    for network, rows in report.cold.items():
        yield from ["", f"## Cold: whole processes, {network}", ""]
        lines = [line(row, rows[:1]) for row in rows]
        yield from table(["process", "MACs", "ms", "best", "÷ ours"], lines)
    if report.linearity:
        yield from ["", "## Linearity: chains of conv and relu, from the pattern", ""]
        lines = [length_line(layers, row) for layers, row in report.linearity.items()]
        yield from table(["layers", "MACs", "ms", "best", "µs per layer"], lines)


def table(titles: Sequence[str], lines: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield a Markdown table, numbers to the right."""
    yield "| " + " | ".join(titles) + " |"
    yield "|---" + "|---:" * (len(titles) - 1) + "|"
    for cells in lines:
        yield "| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |"


def line(row: Row, ours: Sequence[Row]) -> list[str]:
    """Return the cells of one contestant: count, time, and its time over each of ours."""
    if row.problem:
        return [row.tool, row.problem, *[""] * (len(ours) + 2)]
    shares = ["" if row in ours else ratio(row, own) for own in ours]
    return [row.tool, macs(row), *milliseconds(row), *shares]


def fastest(network: str, rows: Sequence[Row], device: str) -> list[str]:
    """Return the cells of the fastest peer, on one device or on any."""
    ours, peers = rows[: len(OURS)], rows[len(OURS) :]
    timed = [row for row in peers if row.seconds is not None and device in row.tool]
    among = f"peers on {device}" if device else "all peers"
    if not timed:
        return [network, among, "none", *[""] * (len(ours) + 2)]
    best = min(timed, key=lambda row: row.seconds or 0.0)
    shares = [f"**{ratio(best, own)}**" for own in ours]
    return [network, among, best.tool, *milliseconds(best), *shares]


def length_line(layers: int, row: Row) -> list[str]:
    """Return the cells of a chain."""
    if row.seconds is None:
        return [f"{layers:,}", row.problem or "", "", "", ""]
    return [f"{layers:,}", macs(row), *milliseconds(row), f"{row.seconds / layers * 1e6:.1f}"]


def macs(row: Row) -> str:
    """Return a count in full, so that tools can be told apart by it."""
    return f"{row.macs:,.0f}" if row.macs else ""


def milliseconds(row: Row) -> list[str]:
    """Return the median and the best time."""
    times = (row.seconds, row.best)
    return ["" if time is None else three_digits(1e3 * time) for time in times]


def ratio(row: Row, own: Row) -> str:
    """Return how often ours fits into the time of a peer."""
    if row.seconds is None or own.seconds is None:
        return ""
    return f"{three_digits(row.seconds / own.seconds)}x"


def three_digits(value: float) -> str:
    """Return a number with three digits that count, and no exponent."""
    decimals = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:,.{decimals}f}"
