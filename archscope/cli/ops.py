"""`archscope ops`: list and explain the operators of specs."""

from __future__ import annotations

import click

from archscope.cli.shared import completion
from archscope.cli.shared.options import Output, output_options
from archscope.errors import OptionError, did_you_mean
from archscope.ops import OPS
from archscope.report.table import Part
from archscope.report.tables.ops import op_list, op_page, op_record

GROUP = "Reference"


@click.command("ops")
@click.argument(
    "names", nargs=-1, metavar="[OP]...", shell_complete=completion.names(lambda: sorted(OPS))
)
@click.option("--all", "everything", is_flag=True, help="Show the page of every operator.")
@output_options
def command(names: tuple[str, ...], everything: bool, output: Output) -> None:
    """List the operators of specs, or show the attributes and examples of some.

    Operators of plug-ins are listed as well; `archscope plugins` says where they come from.

    \b
    Examples:
      archscope ops
      archscope ops conv maxpool
      archscope ops --all --format markdown -o ops.md
    """
    for name in names:
        if name not in OPS:
            raise OptionError(f"no operator '{name}'{did_you_mean(name, OPS)}")
    ops = [OPS[name] for name in names or sorted(OPS) if name != "input"]
    parts: list[Part] = [op_list()]
    if names or everything:
        parts = [part for op in ops for part in op_page(op)]
    output.show(parts, lambda: {"format": 1, "ops": list(map(op_record, ops))})
