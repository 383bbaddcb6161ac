"""`archscope reconcile`: explain why tools print different numbers for the same network."""

from __future__ import annotations

import click

from archscope.analysis.count import COUNTS
from archscope.analysis.reconcile import reconcile, with_own_runs, with_runs
from archscope.cli import FINDINGS, FINE
from archscope.cli.shared.inapplicable import indifferent, refused
from archscope.cli.shared.options import (
    Output,
    SpecReader,
    one_spec,
    output_options,
    reader_options,
)
from archscope.errors import OptionError, did_you_mean
from archscope.report.tables.reconciliation import records, tables
from archscope.sources import is_foreign, own_module

GROUP = "Understand"
TOOLS = list(COUNTS)[1:]  # without macs, the reference for all others


@click.command("reconcile")
@one_spec
@click.option(
    "--against", "tools", multiple=True, metavar="TOOL",
    help=f"Show only this tool; repeatable. One of {', '.join(TOOLS)}.",
)  # fmt: skip
@click.option(
    "--run", "ran", is_flag=True,
    help="Run the installed tools on the module, and compare their numbers with ours.",
)  # fmt: skip
@reader_options
@refused(batch="tools are compared on one image")
@indifferent(dtype="operations are counted, whatever their type")
@output_options
def command(
    spec: str, tools: tuple[str, ...], ran: bool, reader: SpecReader, output: Output
) -> int:
    """Show what each tool counts in a network, and explain the differences line by line.

    The numbers are reproduced from the spec, for one image at inference: torch is not loaded, and
    no tool has to be installed. The lines of a tool add up to its difference from macs; a line
    that begins with `bug` is a bug of that tool. With --run the tools are run, and the exit code
    is 1 if one prints a different number. For a PyTorch module, the installed tools are always run
    on the module itself; for an ONNX file, the numbers are always reproduced.

    \b
    Examples:
      archscope reconcile resnet50
      archscope reconcile mobilenet_v2 --against ptflops --against thop
      archscope reconcile vgg16 --input 3x64x64 --run   (needs archscope[bench])
    """
    for tool in tools:
        if tool not in TOOLS:
            known = did_you_mean(tool, TOOLS) or f"; there are {', '.join(TOOLS)}"
            raise OptionError(f"--against: no tool '{tool}'{known}")
    if reader.fused and is_foreign(spec):
        raise OptionError(
            f"--fused: the tools run on '{spec}' itself; use a spec made by `archscope import`"
        )
    graph = reader.graph(spec)
    result = reconcile(graph, dict.fromkeys(tools or COUNTS))
    own = own_module(spec, reader.changes["input"])
    if own is not None:
        from archscope.verify.peers import own_runs

        result = with_own_runs(result, own_runs(*own, result))
    elif ran or is_foreign(spec):
        from archscope.verify.peers import runs, table_notes  # imports torch, which is slow

        result = with_runs(result, runs(graph, result) if ran else table_notes(result))
    output.show(tables(result), lambda: result, lambda: records(result))
    return FINE if result.agrees else FINDINGS
