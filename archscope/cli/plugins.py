"""`archscope plugins`: what plug-ins bring, and whether it keeps its contract."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from archscope.cli import FINDINGS, FINE
from archscope.cli.shared.options import Output, output_options
from archscope.errors import OptionError, did_you_mean
from archscope.plugins import loading
from archscope.plugins.catalogue import Listed, catalogue
from archscope.report.table import Part
from archscope.report.tables.plugins import check_table, plugin_table

GROUP = "Reference"


@click.command("plugins")
@click.argument("words", nargs=-1, metavar="[check [NAME]...]")
@output_options
def command(words: tuple[str, ...], output: Output) -> int:
    """List operators, rules, metrics and so on that plug-ins bring, and whether they load.

    Plug-ins are in installed packages, and in the folder that `plugins` in the nearest
    archscope.toml, or in [tool.archscope] of pyproject.toml, names. Loading one runs its code.
    ARCHSCOPE_NO_PLUGINS=1, or `archscope --no-plugins COMMAND`, loads none. Exit code 1: one did
    not load.

    `check` runs the checks on them that archscope's own operators, rules and so on must pass: on
    all, or on those of some names. Exit code 1: a contract is broken.

    \b
    Examples:
      archscope plugins
      archscope plugins check
      archscope plugins check star_relu LAB101 --format json
    """
    loading.tell = lambda problem: None  # they are in the table
    if words and words[0] != "check":
        raise OptionError(
            f"there is no 'archscope plugins {words[0]}'; type: archscope plugins check"
        )
    listed = catalogue()
    if words:
        return _check(_named(listed, words[1:]), output)
    loaded = [row for row in listed if not row.error]
    parts: list[Part] = [plugin_table(loaded) if loaded else "no plug-ins found"]
    parts += [f"{row.file} did not load: {row.error}" for row in listed if row.error]
    output.show(parts, lambda: {"format": 1, "plugins": listed}, lambda: plugin_table(listed))
    return FINE if len(loaded) == len(listed) else FINDINGS


def _named(listed: Sequence[Listed], names: Sequence[str]) -> list[Listed]:
    """Return what has one of these names, all without any. Raises OptionError."""
    known = [row.name for row in listed if row.name]
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known) or "; 'archscope plugins' lists them"
            raise OptionError(f"no plug-in brings '{name}'{hint}")
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
