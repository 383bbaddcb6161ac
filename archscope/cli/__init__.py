"""The command line: one file for each command, imported when the command runs."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from collections.abc import Sequence

FINE, FINDINGS, FAILED, INTERRUPTED = 0, 1, 2, 130
"""Exit codes: fine; findings, differences or over budget; could not run; Ctrl-C."""

# Skip the garbage collection before exit, which finds nothing and takes 0.5 s with torch.
atexit.register(gc.freeze)


def main(args: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; a user error is one line on standard error."""
    # The default thresholds cost short commands a fifth of their time and free nothing.
    gc.set_threshold(100_000, 50, 50)
    words = list(sys.argv[1:] if args is None else args) or ["--help"]
    if {"-h", "--help"} & set(words):
        from rich_click.patch import patch  # only help needs it, and it takes 0.1 s

        patch()
    import click

    from archscope.cli.shared.app import (
        archscope,
    )  # after the patch, which replaces the base classes
    from archscope.errors import ArchscopeError

    try:
        code = archscope.main(words, prog_name="archscope", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return FAILED
    except ArchscopeError as error:
        click.echo(f"error: {error}", err=True)
        return FAILED
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader closed the pipe, as `head` does; keep the interpreter from complaining at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FINE
    return code if isinstance(code, int) else FINE
