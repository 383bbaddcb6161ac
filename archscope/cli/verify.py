"""`archscope verify`: our numbers against those of others."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archscope.cli import FINDINGS, FINE
from archscope.cli.shared.options import load_spec, output_options, show, spec_options
from archscope.errors import OptionError, did_you_mean
from archscope.language import zoo
from archscope.report.table import COUNT, Column, Table

if TYPE_CHECKING:
    from archscope.verify import Verification

GROUP = "Measure"
QUICK = ("shapes", "params", "macs-fvcore", "macs-torch", "reference")
"""Checks that are quick enough for the whole zoo at once."""

SHOWN = 20  # differences of one check; the rest is a number


@click.command("verify")
@click.argument("specs", nargs=-1, metavar="[SPEC]...")
@click.option("--all", "everything", is_flag=True, help="Verify every network of the zoo.")
@spec_options
@click.option("--only", multiple=True, metavar="CHECK", help="Run only this check; repeatable.")
@output_options
def command(
    specs: tuple[str, ...],
    everything: bool,
    settings: tuple[str, ...],
    inputs: tuple[str, ...],
    max_nodes: int,
    only: tuple[str, ...],
    form: str,
    output: Path | None,
) -> int:
    """Hold every number of a network against an independent oracle.

    Shapes against a forward pass of the module, params against its tensors, macs against
    fvcore and torch's own counter, receptive fields against derivatives, memory for training
    against saved-tensor hooks, totals against the spec's `reference:`. Exit code 1 on any
    difference. Runs torch on the CPU, for seconds to a minute.

    \b
    Examples:
      archscope verify resnet50
      archscope verify specs/*.yaml --only params --only macs-torch
      archscope verify --all     (shapes, params, macs and references, for minutes)
    """
    if everything:
        specs, only = (*specs, *zoo()), only or QUICK
    if not specs:
        raise OptionError("name a SPEC to verify, or say --all")
    graphs = [load_spec(spec, settings, inputs, max_nodes) for spec in specs]
    from archscope.verify import CHECKS, verify  # torch and fvcore take seconds to load

    for name in only:
        if name not in CHECKS:
            known = did_you_mean(name, CHECKS) or f"; there are {', '.join(CHECKS)}"
            raise OptionError(f"no check '{name}'{known}")
    results = [verify(graph, only=only, progress=_teller(graph.name)) for graph in graphs]
    _tell("")
    show(_tables(results), form, output, lambda: {"format": 1, "networks": results})
    return FINE if all(result.agrees for result in results) else FINDINGS


def _teller(network: str) -> Callable[[str], None]:
    return lambda check: _tell(f"{network}: {check}")


def _tell(text: str) -> None:
    """Show progress on one line, where someone is looking."""
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[K{text}", err=True, nl=False)


def _tables(results: list[Verification]) -> list[Any]:
    columns = (
        Column("network"),
        Column("numbers"),
        Column("oracle"),
        Column("compared", COUNT),
        Column("differences", COUNT),
        Column("note"),
    )
    rows = tuple(
        (result.name, check.name, check.oracle, check.compared, len(check.differences), check.note)
        for result in results
        for check in result.checks
    )
    parts: list[Any] = [Table("", columns, rows)]
    for result in results:
        for check in result.checks:
            if check.differences:
                shown = tuple((d.node, d.ours, d.theirs) for d in check.differences[:SHOWN])
                what = check.differences[0].what
                title = f"{result.name}: {check.name} against {check.oracle}, {what}"
                parts.append(
                    Table(title, (Column("node"), Column("archscope"), Column("oracle")), shown)
                )
                if len(check.differences) > SHOWN:
                    parts.append(f"and {len(check.differences) - SHOWN} more")
    return parts
