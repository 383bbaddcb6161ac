"""`archscope space`: what a search space holds, and what of it fits a budget."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from archscope.analysis.cost import DTYPES
from archscope.cli import FINDINGS, FINE
from archscope.cli.shared.options import (
    load_spec,
    one_spec,
    output_options,
    read_spec,
    setting,
    shapes,
    show,
    spec_options,
    write,
)
from archscope.errors import OptionError
from archscope.ir import text_of
from archscope.language.limits import Limits
from archscope.report.table import COUNT, NAME, Column, Table
from archscope.space.budget import Budget, budgets
from archscope.space.costs import IN_BYTES, Costs, costs_of
from archscope.space.explore import Exploration, explore, groups_of, pattern
from archscope.space.search_space import Condition, Decision, Space, space, word
from archscope.units import format_bytes, format_count

FOLDED = 24  # decisions that a terminal shows one by one


@click.command("space")
@one_spec
@click.option(
    "--budget", "texts", multiple=True, metavar="BUDGET",
    help="Ask how many networks fit: --budget 300MFLOPs, 'peak 4MiB', '60% of mobilenet_v2';"
    " repeatable.",
)  # fmt: skip
@click.option(
    "--edge", type=float, default=None, metavar="SHARE",
    help="How far below a single budget networks may lie; 0.85 unless said, 0 for any.",
)  # fmt: skip
@click.option(
    "--vary",
    metavar="NAMES",
    help="Write the spec with holes instead, at what is named: --vary width,kernel,depth.",
)
@click.option("--all", "every", is_flag=True, help="Show the decisions of every instance.")
@click.option(
    "--samples", type=click.IntRange(1), default=None,
    help="Draw so many networks, also where all could be looked at.",
)  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of what is drawn.")
@click.option(
    "--dtype", type=click.Choice(list(DTYPES)), default="float32", show_default=True,
    help="Element type that bytes are counted for.",
)  # fmt: skip
@spec_options
@output_options
def command(
    spec: str,
    texts: tuple[str, ...],
    edge: float | None,
    vary: str | None,
    every: bool,
    samples: int | None,
    seed: int,
    dtype: str,
    settings: tuple[str, ...],
    inputs: tuple[str, ...],
    max_nodes: int,
    form: str,
    output: Path | None,
) -> int:
    """Show how many networks a spec with holes stands for, and what they cost.

    The number is exact. Up to 20,000 networks are all looked at; of more some are drawn, each
    with the same chance, and the share that fits the budgets has its 95 % interval. Exit code 1
    if no network was found inside them.

    \b
    Examples:
      archscope space mobile --budget 300MFLOPs
      archscope space mobile --budget 300MFLOPs --budget "peak 4MiB" --set stem=16
      archscope space my_space.yaml --all --format csv
      archscope space resnet18 --vary width,depth -o my_space.yaml
    """
    limits = Limits(nodes=max_nodes)
    document = read_spec(spec, limits, inputs)
    if vary is not None:
        from archscope.space.vary import vary_text

        write(vary_text(document, vary.split(",")), output)
        return FINE
    if not document.open:
        raise OptionError(
            f"'{document.name}' leaves nothing open; '--vary width,kernel,depth -o FILE' makes a"
            " space of it"
        )
    found = space(document, set=dict(map(setting, settings)), input=shapes(inputs), limits=limits)

    def look(name: str) -> Costs:
        return costs_of(load_spec(name, inputs=inputs), dtype)

    asked = budgets(texts, look, edge)
    result = explore(found, asked, seed=seed, samples=samples, dtype=dtype, tell=_tell)
    _clear()
    place = " to ".join(" and ".join(map(text_of, each)) for each in result.inputs)
    parts: list[Any] = [headline(found, result, place)]
    grouped = not every and form == "table" and len(found.decisions) > FOLDED
    parts.append(decision_table(found, grouped))
    if form != "csv":
        parts += [range_table(result), *verdict(asked, result, place)]
    else:
        parts = parts[1:]
    show(parts, form, output, lambda: data(found, asked, result, place))
    return FINDINGS if result.blocking else FINE


def headline(space: Space, result: Exploration, place: str) -> str:
    """Return one line: how many networks, of how many decisions."""
    number = f"{result.networks:,}"
    if len(number) > 12:
        number += f" ({result.networks:.2e})" if result.networks < 10**300 else ""
    number = f"at most {number}" if not result.exact else number
    endless = " for each value of the decisions without end" if result.endless else ""
    return f"{space.name}: {number} networks{endless}, {len(space.decisions)} decisions, at {place}"


def decision_table(space: Space, grouped: bool) -> Table:
    """Return one row for each decision, or for each hole with all its instances."""
    columns = (
        Column("decision", NAME),
        Column("instances", COUNT),
        Column("alternatives"),
        Column("counts when", key="counts_when"),
    )
    groups = groups_of(space) if grouped else [[decision] for decision in space.decisions]
    rows = tuple(
        (pattern([one.path for one in group]), len(group), group[0].text, _when_all(group))
        for group in groups
    )
    return Table(
        "",
        columns if grouped else (columns[0], *columns[2:]),
        tuple(row if grouped else (row[0], *row[2:]) for row in rows),
    )


def _when_all(group: list[Decision]) -> str:
    """Return when the decisions of one hole count: in one line, or that it differs."""
    texts = dict.fromkeys(when(one) for one in group)
    return next(iter(texts)) if len(texts) == 1 else "its instance is there"


def when(decision: Decision) -> str:
    """Return when a decision counts, the empty string for always."""
    return " or ".join(" and ".join(map(_condition, ways)) for ways in decision.when if ways)


def _condition(condition: Condition) -> str:
    if condition.allowed is None:
        return "shapes allow"
    if len(condition.paths) > 1:
        return f"{', '.join(condition.paths)} fit ({len(condition.allowed)} ways)"
    values = sorted((row[0] for row in condition.allowed), key=lambda one: (str(type(one)), one))
    return f"{condition.paths[0]} is {' or '.join(map(word, values))}"


def range_table(result: Exploration) -> Table:
    """Return the range of every cost."""
    columns = (
        Column("cost", NAME),
        Column("least"),
        Column("median"),
        Column("most"),
        Column("ends"),
    )
    rows = []
    for one in result.ranges:
        readable = format_bytes if one.metric in IN_BYTES else format_count
        middle = "" if one.middle is None else readable(round(one.middle))
        ends = "of all networks" if one.exact else "found, one hole moved at a time"
        rows.append((one.metric, readable(one.least), middle, readable(one.most), ends))
    return Table("costs for one image", columns, tuple(rows))


def verdict(asked: tuple[Budget, ...], result: Exploration, place: str) -> list[str]:
    """Return the lines about budgets: what they mean, how much fits, what is in the way."""
    lines = [one.meaning(place) for one in asked]
    share = result.share
    if share is not None:
        if share.exact:
            text = f"{share.inside:,} of {share.seen:,} networks fit ({100 * share.share:.3g} %)"
        else:
            text = (
                f"{100 * share.share:.3g} % of {share.seen:,} networks drawn fit"
                f" (95 % interval {100 * share.low:.2g} to {100 * share.high:.2g} %)"
            )
        if share.invalid:
            text += f"; {share.invalid:,} of them make no network"
        lines.append(text)
        if result.example is not None and not share.inside:
            lines.append("one that fits was found by moving others towards the budgets")
    for budget in result.blocking:
        one = next(one for one in result.ranges if one.metric == budget.metric)
        lines.append(
            f"no network was found inside '{budget.text}': {one.metric} from"
            f" {budget.readable(one.least)} to {budget.readable(one.most)}"
        )
        lines += [
            f"  relax {each.path}, now at {each.value}: one value on moves"
            f" {budget.readable(each.step)}"
            for each in result.relax.get(budget.metric, ())
        ]
    return lines


def data(
    space: Space, asked: tuple[Budget, ...], result: Exploration, place: str
) -> dict[str, Any]:
    """Return what JSON says of a space; the number of networks is text, as it may be large."""
    return {
        "format": 1,
        "name": space.name,
        "input": place,
        "networks": str(result.networks),
        "exact": result.exact,
        "endless": result.endless,
        "decisions": [
            {
                "path": decision.path, "kind": decision.kind,
                "alternatives": decision.alternatives or None, "labels": decision.labels or None,
                "low": decision.low, "high": decision.high, "step": decision.step,
                "log": decision.log, "counts_when": when(decision) or None, "at": decision.at,
            }
            for decision in space.decisions
        ],
        "costs": result.ranges,
        "budgets": asked,
        "share": result.share,
        "example": result.example,
        "blocking": [reason.text for reason in result.blocking],
        "relax": result.relax,
    }  # fmt: skip


def _tell(done: int, of: int) -> None:
    """Show progress on one line, where someone is looking."""
    if sys.stderr.isatty() and done:
        click.echo(f"\r\x1b[K{done:,} of {of:,} networks", err=True, nl=False)


def _clear() -> None:
    if sys.stderr.isatty():
        click.echo("\r\x1b[K", err=True, nl=False)
