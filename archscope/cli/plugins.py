"""`archscope plugins`: what plug-ins bring, and whether it keeps its contract."""

from __future__ import annotations

import click

from archscope.cli import FINDINGS, FINE
from archscope.cli.shared.options import Output, output_options
from archscope.plugins import loading
from archscope.plugins.catalogue import catalogue
from archscope.report.table import Part
from archscope.report.tables.plugins import plugin_table

GROUP = "Reference"


@click.command("plugins")
@output_options
def command(output: Output) -> int:
    """List operators, rules, metrics and so on that plug-ins bring, and whether they load.

    Plug-ins are in installed packages, and in the folder that `plugins` in the nearest
    archscope.toml, or in [tool.archscope] of pyproject.toml, names. Loading one runs its code.
    ARCHSCOPE_NO_PLUGINS=1, or `archscope --no-plugins COMMAND`, loads none. Exit code 1: one did
    not load.

    \b
    Examples:
      archscope plugins
      archscope plugins --format json
    """
    loading.tell = lambda problem: None  # they are in the table
    listed = catalogue()
    loaded = [row for row in listed if not row.error]
    parts: list[Part] = [plugin_table(loaded) if loaded else "no plug-ins found"]
    parts += [f"{row.file} did not load: {row.error}" for row in listed if row.error]
    output.show(parts, lambda: {"format": 1, "plugins": listed}, lambda: plugin_table(listed))
    return FINE if len(loaded) == len(listed) else FINDINGS
