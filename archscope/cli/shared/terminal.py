"""The only functions of `cli` that write to standard output and standard error."""

from __future__ import annotations

import re
import sys
from contextlib import suppress

import click

from archscope.cli.shared.process import reason
from archscope.errors import OptionError
from archscope.printable import printable

_BOLD = re.compile(r"(\x1b\[[01]m)")
QUIET, NORMAL, VERBOSE = range(3)
_verbosity = NORMAL


def set_verbosity(level: int) -> None:
    """Set how much the command prints on standard error."""
    global _verbosity
    _verbosity = level


def is_quiet() -> bool:
    """Return whether progress and notes are suppressed."""
    return _verbosity == QUIET


def is_verbose() -> bool:
    """Return whether errors show their traceback."""
    return _verbosity == VERBOSE


def show(text: str) -> None:
    """Print a text and a newline. Raises OptionError if standard output cannot be written.

    On a terminal, control characters other than those for bold text become visible escapes.
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
    except BrokenPipeError:  # the reader has closed the pipe
        raise
    except OSError as error:
        raise OptionError(f"cannot write to standard output: {reason(error)}") from None


def warn(text: str) -> None:
    """Print errors and exceeded limits on standard error, even with --quiet."""
    _to_standard_error(f"{printable(text, lines=True)}\n")


def say(text: str) -> None:
    """Print notes on standard error, unless --quiet is given."""
    if not is_quiet():
        warn(text)


def tell(text: str) -> None:
    """Show progress on one line of standard error if that is a terminal; "" clears the line."""
    if sys.stderr is not None and sys.stderr.isatty() and not is_quiet():
        _to_standard_error(f"\r\x1b[K{printable(text)}")


def _to_standard_error(text: str) -> None:
    if sys.stderr is not None:
        with suppress(OSError):
            click.echo(text, nl=False, file=sys.stderr)
