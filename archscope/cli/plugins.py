"""`archscope plugins`: list what plug-ins add, and check it against its contract."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from archscope.cli import FINDINGS, FINE
from archscope.cli.shared import completion
from archscope.cli.shared.options import Output, output_options
from archscope.errors import OptionError, did_you_mean
from archscope.plugins import problems
from archscope.plugins.catalogue import Listed, catalogue
from archscope.report.table import Part
from archscope.report.tables.plugins import check_table, plugin_table

GROUP = "Reference"


@click.command("plugins")
@click.argument(
    "words",
    nargs=-1,
    metavar="[check [NAME]...]",
    shell_complete=completion.names(lambda: ("check",)),
)
@output_options
def command(words: tuple[str, ...], output: Output) -> int:
    """List the operators, rules, metrics and so on that plug-ins add, and whether they load.

    Plug-ins come from installed packages and from the folder that `plugins` names in the nearest
    archscope.toml, or in [tool.archscope] of pyproject.toml. Loading one runs its code;
    ARCHSCOPE_NO_PLUGINS=1, or `archscope --no-plugins COMMAND`, loads none. Exit code 1: a
    plug-in did not load.

    `check` runs the contract checks that archscope's own operators, rules and so on must pass, on
    all plug-ins or on those named. Exit code 1: a contract is broken.

    \b
    Examples:
      archscope plugins
      archscope plugins check
      archscope plugins check star_relu LAB101 --format json
    """
    problems.tell = lambda problem: None  # they are in the table
    if words and words[0] != "check":
        raise OptionError(f"no command 'plugins {words[0]}'; type: archscope plugins check")
    listed = catalogue()
    if words:
        return _check(_named(listed, words[1:]), output)
    loaded = [row for row in listed if not row.error]
    parts: list[Part] = [plugin_table(loaded) if loaded else "no plug-ins found"]
    parts += [f"{row.file} did not load: {row.error}" for row in listed if row.error]
    output.show(parts, lambda: {"format": 1, "plugins": listed}, lambda: plugin_table(listed))
    return FINE if len(loaded) == len(listed) else FINDINGS


def _named(listed: Sequence[Listed], names: Sequence[str]) -> list[Listed]:
    """Return the entries with these names, or all if there are none. Raises OptionError."""
    known = [row.name for row in listed if row.name]
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known) or "; 'archscope plugins' lists them"
            raise OptionError(f"no plug-in adds '{name}'{hint}")
    return [row for row in listed if not names or row.name in names]


def _check(listed: Sequence[Listed], output: Output) -> int:
    from archscope.contracts.check import outcome

    failed = [f"{row.file} did not load: {row.error}" for row in listed if row.error]
    outcomes = [outcome(row.kind, row.name, Path(row.file)) for row in listed if not row.error]
    parts: list[Part] = [check_table(outcomes)] if outcomes else []
    for found in outcomes:
        parts += [f"{found.name}: broken: {text}" for text in found.broken]
        parts += [f"{found.name}: not checked: {text}" for text in found.unchecked]
    parts = [*parts, *failed] or ["no plug-ins found"]
    output.show(parts, lambda: {"format": 1, "checks": outcomes, "errors": failed})
    return FINDINGS if failed or any(found.broken for found in outcomes) else FINE
