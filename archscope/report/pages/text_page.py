"""A report as tables and text, for the terminal and for Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from math import log

from archscope.report.pages.before import before_parts
from archscope.report.pages.content import MEASURES, NetworkSection, Page
from archscope.report.pages.quality import comparable, number
from archscope.report.pages.summary import judged_by, pareto_front
from archscope.report.pages.words import written
from archscope.report.sparkline import bar, sparkline
from archscope.report.table import COUNT, NAME, PICTURE, SHARE, Column, Part, Table, table_of
from archscope.report.tables.compression import compression_parts
from archscope.report.tables.studies import study_parts

PLOT = (56, 14)  # characters across and lines down


def parts(page: Page, plot: bool) -> list[Part]:
    """Return the whole report; `plot` adds charts for the terminal."""
    found: list[Part] = [
        page.title,
        "\n".join(page.answer),
        "\n".join(f"- {line}" for line in page.summary),
    ]
    if page.networks:
        found.append(_overview(page))
    if plot and len(page.networks) > 1:
        found.append(scatter(page.networks, "macs", judged_by(page.networks)))
    found += [_timelines(page.networks)] if plot and page.networks else []
    found += [part for network in page.networks for part in before_parts(network)]
    for each in page.compressions:
        found += compression_parts(each.name, each.seeds, each.keep)
    found += [_findings(network) for network in page.networks if network.findings]
    for study in page.studies:
        found += study_parts(study, plot)
    if page.runs:
        found.append(_runs(page))
    found += [f"not shown: {problem.source}: {problem.reason}" for problem in page.problems]
    return [part for part in found if part]


def pictures(networks: Sequence[NetworkSection]) -> list[Table | str]:
    """Return charts of networks as text: bars, a scatter plot and memory timelines."""
    keys = ("params", "macs", "memory_access_bytes")
    most = {
        key: max((number(network, key) or 0 for network in networks), default=0) or 1
        for key in keys
    }
    labels = [MEASURES[key].label for key in keys]
    columns = (Column("of the most", NAME), *(Column(label, PICTURE) for label in labels))
    rows = tuple(
        (network.name, *(bar((number(network, key) or 0) / most[key]) for key in keys))
        for network in networks
    )
    plot = scatter(networks, "macs", judged_by(networks))
    return [Table("", columns, rows), *([plot] if plot else []), _timelines(networks)]


def _overview(page: Page) -> Table:
    most = max((number(network, "macs") or 0 for network in page.networks), default=0)
    codes = {score.code for network in page.networks for score in network.scores}
    measures = [
        measure for measure in page.measures if not measure.minor and measure.key not in codes
    ]
    columns = [Column("network", NAME), Column("of most macs", PICTURE)]
    columns += [Column(measure.label, NAME) for measure in measures]
    columns.append(Column("breaks", NAME))
    rows = []
    for network in page.networks:
        cells = [
            network.field if key == "field" else written(network.values.get(key), kind)
            for key, kind in ((measure.key, measure.kind) for measure in measures)
        ]
        broken = " ".join(score.code for score in network.scores if score.broken)
        share = bar((number(network, "macs") or 0) / (most or 1))
        rows.append((network.name, share, *cells, broken or ("none" if network.scores else "-")))
    return Table("", tuple(columns), tuple(rows))


def _timelines(networks: Sequence[NetworkSection]) -> Table:
    def timeline(network: NetworkSection) -> str:
        alive = [layer.alive_bytes for layer in network.layers if layer.alive_bytes is not None]
        return sparkline(alive) or "not known"

    def peak(network: NetworkSection) -> str:
        totals = network.totals
        return f"{written(totals.peak_activation_bytes, 'bytes')} at {totals.peak_node}"

    return table_of(
        networks,
        (Column("network", NAME), lambda network: network.name),
        (Column("memory while it runs", PICTURE), timeline),
        (Column("peak", NAME), peak),
    )


def _findings(network: NetworkSection) -> Table:
    return table_of(
        network.findings,
        (Column("code", NAME), lambda found: found.get("code")),
        (Column("where", NAME), lambda found: found.get("node") or "the network"),
        (Column(f"findings in {network.name}"), lambda found: found.get("message")),
    )


def _runs(page: Page) -> Table:
    return table_of(
        page.runs,
        (Column("run", NAME), lambda run: run.name),
        (Column("network", NAME), lambda run: run.network),
        (Column("state", NAME), lambda run: run.state),
        (Column("epochs", COUNT), lambda run: len(run.epochs[0].x) if run.epochs else 0),
        (Column("accuracy", SHARE), lambda run: run.accuracy),
    )


def scatter(networks: Sequence[NetworkSection], x: str, y: str) -> str:
    """Plot networks by two measures as letters, with capitals for Pareto-optimal ones.

    Both axes are logarithmic; values of 0 or less are left out.
    """
    best = {network.id for network in pareto_front(comparable(networks), x, y)}
    known = [
        network
        for network in networks
        if (number(network, x) or 0) > 0 and (number(network, y) or 0) > 0
    ]
    shown = known[:26]
    if len(shown) < 2:
        return ""
    across, up = ([log(number(network, key) or 1) for network in shown] for key in (x, y))
    width, height = PLOT
    grid = [[" "] * width for _ in range(height)]
    keys = []
    labels = [MEASURES[key].label for key in (x, y)]
    for place, network in enumerate(shown):
        letter = chr(ord("a") + place)
        letter = letter.upper() if network.id in best else letter
        column = round((width - 1) * _part(across[place], across))
        row = round((height - 1) * (1 - _part(up[place], up)))
        grid[row][column] = letter if grid[row][column] == " " else "*"
        keys.append(f"{letter} {network.name}")
    lines = [
        f" {labels[1]}",
        *(f" │{''.join(row).rstrip()}" for row in grid),
        f" └{'─' * width} {labels[0]}",
    ]
    more = f"; {len(known) - len(shown)} more are not shown" if len(known) > len(shown) else ""
    legend = "capitals are Pareto-optimal, * marks several networks"
    return (
        "\n".join([*lines, f" {', '.join(keys)}{more}", f" ({legend}; both axes are logarithmic)"])
        + "\n"
    )


def _part(value: float, values: Sequence[float]) -> float:
    low, high = min(values), max(values)
    return (value - low) / (high - low) if high > low else 0.5
