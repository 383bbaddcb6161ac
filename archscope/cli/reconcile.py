"""`archscope reconcile`: why tools print other numbers for the same network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from archscope.analysis.count import COUNTS, TOOLS
from archscope.analysis.reconcile import Reconciliation, Run, reconcile, with_runs
from archscope.cli import FINDINGS, FINE
from archscope.cli.shared.options import load_spec, one_spec, output_options, show, spec_options
from archscope.errors import OptionError, UnavailableError, did_you_mean
from archscope.ir import Graph

GROUP = "Analyze"


@click.command("reconcile")
@one_spec
@click.option(
    "--against", "tools", multiple=True, metavar="TOOL",
    help=f"Only this tool; repeatable. There are {', '.join(COUNTS[1:])}.",
)  # fmt: skip
@click.option(
    "--run", "ran", is_flag=True,
    help="Run the tools that are installed on the module, and hold their numbers to ours.",
)  # fmt: skip
@spec_options
@output_options
def command(
    spec: str,
    tools: tuple[str, ...],
    ran: bool,
    settings: tuple[str, ...],
    inputs: tuple[str, ...],
    max_nodes: int,
    form: str,
    output: Path | None,
) -> int:
    """Show what each tool counts of a network, and line by line why.

    The numbers are reproduced from the spec, for one image at inference: no torch is loaded and
    no tool need be installed. The lines of a tool sum exactly to its difference from macs; a
    line that begins with `bug` is one. With --run the tools judge: exit code 1 if one prints
    another number than its table says.

    \b
    Examples:
      archscope reconcile resnet50
      archscope reconcile mobilenet_v2 --against ptflops --against thop
      archscope reconcile vgg16 --input 3x64x64 --run      (needs archscope[bench])
    """
    for tool in tools:
        if tool not in COUNTS[1:]:
            known = did_you_mean(tool, COUNTS[1:]) or f"; there are {', '.join(COUNTS[1:])}"
            raise OptionError(f"no tool '{tool}'{known}")
    graph = load_spec(spec, settings, inputs, max_nodes)
    result = reconcile(graph, dict.fromkeys(tools or COUNTS))
    if ran:
        result = with_runs(result, _runs(graph, result))
    show(_parts(result, form), form, output, lambda: result)
    return FINE if result.agrees else FINDINGS


def _parts(result: Reconciliation, form: str) -> list[Any]:
    from archscope.report.tables.reconciliation import records, tables

    return [records(result)] if form == "csv" else tables(result)


def _runs(graph: Graph, result: Reconciliation) -> dict[str, Run]:
    """Return what the tools themselves say, as far as they are installed."""
    from archscope.verify.peers import installed, measure  # torch takes a second to load

    runs = {}
    for tool in result.tools:
        if tool.name not in TOOLS:
            continue
        version = installed(tool.name)
        other = version is not None and version != tool.version
        note = f"{version} is installed" if other else ""
        try:
            counted = measure(tool.name, graph)
        except UnavailableError as error:
            runs[tool.name] = Run(version, None, None, str(error))
            continue
        equal = None if tool.counted is None else counted == tool.counted
        runs[tool.name] = Run(version, counted, equal, note)
    return runs
