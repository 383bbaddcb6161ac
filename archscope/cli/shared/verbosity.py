"""The options `-q` and `-v`: how much a command prints on standard error besides errors."""

from __future__ import annotations

from collections.abc import Callable

import click

from archscope.cli.shared.terminal import QUIET, VERBOSE, set_verbosity


def _setter(level: int) -> Callable[[click.Context, click.Parameter, bool], bool]:
    def set_level(context: click.Context, parameter: click.Parameter, value: bool) -> bool:
        if value:
            set_verbosity(level)
        return value

    return set_level


def talk_options() -> list[click.Parameter]:
    """Return the options `--quiet` and `--verbose`, which every command has."""
    return [
        click.Option(
            ["--quiet", "-q"], is_flag=True, expose_value=False, callback=_setter(QUIET),
            help="Do not show progress and notes.",
        ),
        click.Option(
            ["--verbose", "-v"], is_flag=True, expose_value=False, callback=_setter(VERBOSE),
            help="Show the traceback of an error.",
        ),
    ]  # fmt: skip
