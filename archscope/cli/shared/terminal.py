"""What commands write to standard output and standard error; nothing else in `cli` does."""

from __future__ import annotations

import re
import sys
from contextlib import suppress
from io import StringIO

import click

from archscope.cli.shared.process import reason
from archscope.errors import OptionError
from archscope.printable import printable

_BOLD = re.compile(r"(\x1b\[[01]m)")


def show(text: str) -> None:
    """Print a text that ends a line. Raises OptionError if standard output takes nothing.

    On a terminal, control characters other than those of bold text become visible escapes.
    """
    if sys.stdout is None:
        raise OptionError("cannot write to standard output: it is closed")
    if sys.stdout.isatty():
        parts = _BOLD.split(text)
        text = "".join(
            part if place % 2 else printable(part, lines=True) for place, part in enumerate(parts)
        )
    try:
        click.echo(text, nl=not text.endswith("\n"), file=sys.stdout)
    except BrokenPipeError:  # whoever read it has enough
        raise
    except OSError as error:
        raise OptionError(f"cannot write to standard output: {reason(error)}") from None


def usage_error(error: click.ClickException) -> None:
    """Print a mistake in the command line, after the usage of the command."""
    text = StringIO()
    error.show(file=text)
    say(text.getvalue().rstrip("\n"))


def say(text: str) -> None:
    """Print lines on standard error, if it can be written to."""
    _to_standard_error(f"{printable(text, lines=True)}\n")


def tell(text: str) -> None:
    """Show progress on one line of standard error if that is a terminal; "" clears it."""
    if sys.stderr is not None and sys.stderr.isatty():
        _to_standard_error(f"\r\x1b[K{printable(text)}")


def _to_standard_error(text: str) -> None:
    if sys.stderr is not None:
        with suppress(OSError):
            click.echo(text, nl=False, file=sys.stderr)
