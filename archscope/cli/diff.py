"""`archscope diff`: show what changed from one network to another."""

from __future__ import annotations

from typing import Any

import click

from archscope.analysis import analyze
from archscope.analysis.difference import difference
from archscope.cli import FINDINGS, FINE
from archscope.cli.shared.changes import AllowedChange, change_options
from archscope.cli.shared.options import (
    Output,
    SpecReader,
    cost_options,
    output_options,
    reader_options,
)
from archscope.cli.shared.terminal import say
from archscope.ir import Graph
from archscope.metrics import METRICS
from archscope.report.table import Part
from archscope.report.tables.analysis import unknown_lines
from archscope.report.tables.difference import difference_parts
from archscope.revisions import file_of

GROUP = "Judge"


@click.command("diff")
@click.argument("old")
@click.argument("new")
@reader_options
@cost_options
@change_options
@output_options
def command(
    old: str,
    new: str,
    reader: SpecReader,
    costs: dict[str, Any],
    allowed: list[AllowedChange],
    output: Output,
) -> int:
    """Show what changed from the network OLD to NEW, layer by layer and in total.

    Each is anything that `archscope analyze` takes, or a file at a git revision, REVISION:FILE,
    read with the files that it uses at that revision. Layers are matched by name, or, where names
    differ, by operator and shape.

    \b
    Examples:
      archscope diff resnet18 resnet34
      archscope diff main:specs/net.yaml specs/net.yaml
      archscope diff HEAD~1:net.yaml HEAD:net.yaml --format markdown
      archscope diff main:net.yaml net.yaml --max-change macs=+5% \\
        --max-change params=+100K
    """
    reader.refuse_training(costs["training"])
    targets = [change.metric.target for change in allowed if change.metric.target]
    costs = {**costs, "target": costs["target"] or next(iter(targets), None)}
    was, now = (_graph(word, reader, costs["batch"]) for word in (old, new))
    before, after = analyze(was, **costs), analyze(now, **costs)
    changes = difference(was, now, before, after)
    failures = [lines for each in allowed if (lines := each.failure(before, after, changes))]
    for lines in failures:
        for line in lines:
            say(line)
    parts: list[Part] = []
    if output.form == "markdown":
        parts += ["\n".join(f"- {line}" for line in lines) for lines in failures]
    parts += difference_parts(before, after, changes, f"{old} -> {new}")
    parts += [f"{net.name}: {line}" for net in (before, after) for line in unknown_lines(net)]
    output.show(
        parts,
        lambda: {
            "format": 1,
            "old": old,
            "new": new,
            "before": _values(before),
            "after": _values(after),
            "layers": changes,
            "failures": failures,
        },
    )
    return FINDINGS if failures else FINE


def _graph(word: str, reader: SpecReader, batch: int) -> Graph:
    with file_of(word) as file:
        return reader.graph(file, batch)


def _values(analysis: Any) -> dict[str, Any]:
    """Return the name of a network and its metrics, by key."""
    values = {m.key: m.of_network(analysis) for m in METRICS.values() if m.is_computed}
    return {"name": analysis.name, **values}
