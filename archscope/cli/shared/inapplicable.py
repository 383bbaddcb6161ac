"""Shared options in commands that ignore or refuse them.

`--set`, `--input`, `--batch`, `--dtype` and `--fused` exist in every command that takes a SPEC, so
that a command line remains valid when only the command changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import click
from click.core import ParameterSource

from archscope.analysis.cost import DTYPES
from archscope.cli.shared.options import Command, together
from archscope.errors import OptionError

_KINDS: dict[str, dict[str, Any]] = {
    "batch": {"type": click.IntRange(1)},
    "dtype": {"type": click.Choice(list(DTYPES))},
    "fused": {"is_flag": True},
}


def indifferent(**reasons: str) -> Callable[[Command], Command]:
    """Return a decorator that adds options which do not change the result, with the reason."""
    return together(
        *(
            click.option(
                f"--{name}", **_KINDS[name], expose_value=False,
                help=f"Has no effect here: {reason}.",
            )
            for name, reason in reasons.items()
        )
    )  # fmt: skip


def refused(**reasons: str) -> Callable[[Command], Command]:
    """Return a decorator that adds options which are an error, hidden from the help."""
    return together(
        *(
            click.option(
                f"--{name}", **_KINDS[name], expose_value=False, hidden=True,
                help=f"Not supported here: {reason}.",
                callback=_refusal(f"--{name}: {reason}"),
            )
            for name, reason in reasons.items()
        )
    )  # fmt: skip


def refuse_given(options: Iterable[str], why: str) -> None:
    """Raise OptionError if any of these options, by their parameters, was given.

    Values from a default or the configuration are accepted.
    """
    context = click.get_current_context()
    written = {param.name: max(param.opts, key=len) for param in context.command.params}
    for name in options:
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise OptionError(f"{written[name]} {why}")


def _refusal(message: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def refuse(context: click.Context, parameter: click.Parameter, value: Any) -> None:
        if value:
            raise OptionError(message)

    return refuse
