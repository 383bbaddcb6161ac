"""What commands write to standard output and standard error; nothing else in `cli` does."""

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
    """Decide for the rest of the command how much it says on standard error."""
    global _verbosity
    _verbosity = level


def is_quiet() -> bool:
    """Return whether progress and notes are left out."""
    return _verbosity == QUIET


def is_verbose() -> bool:
    """Return whether errors say where they come from."""
    return _verbosity == VERBOSE


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


def warn(text: str) -> None:
    """Print lines on standard error that nobody may miss: errors, limits that are exceeded."""
    _to_standard_error(f"{printable(text, lines=True)}\n")


def say(text: str) -> None:
    """Print notes on standard error, without --quiet."""
    if not is_quiet():
        warn(text)


def tell(text: str) -> None:
    """Show progress on one line of standard error if that is a terminal; "" clears it."""
    if sys.stderr is not None and sys.stderr.isatty() and not is_quiet():
        _to_standard_error(f"\r\x1b[K{printable(text)}")


def _to_standard_error(text: str) -> None:
    if sys.stderr is not None:
        with suppress(OSError):
            click.echo(text, nl=False, file=sys.stderr)
