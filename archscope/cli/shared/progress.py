"""Progress on a terminal."""

from __future__ import annotations

import sys

import click


def tell(text: str) -> None:
    """Show progress on one line of standard error if that is a terminal; "" clears it."""
    if sys.stderr is not None and sys.stderr.isatty():
        click.echo(f"\r\x1b[K{text}", err=True, nl=False)
