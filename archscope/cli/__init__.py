"""The command line: one file for each command, imported when the command runs."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from collections.abc import Sequence

FINE, FINDINGS, FAILED, INTERRUPTED, TERMINATED = 0, 1, 2, 130, 143
"""Exit codes: fine; findings, differences or over budget; could not run; Ctrl-C; SIGTERM."""

COMPLETION = "_ARCHSCOPE_COMPLETE"
"""The variable by which a shell asks for the words that complete a line."""

# Skip the garbage collection before exit, which finds nothing and takes 0.5 s with torch.
atexit.register(gc.freeze)


def main(args: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; a user error is one line on standard error."""
    # The default thresholds cost short commands a fifth of their time and free nothing.
    gc.set_threshold(100_000, 50, 50)
    from archscope.cli.shared.process import prepared

    words = list(sys.argv[1:] if args is None else args)
    if not words and COMPLETION not in os.environ:
        words = ["--help"]
    with prepared():
        return _run(words)


def _run(words: list[str]) -> int:
    if {"-h", "--help"} & set(words) or words[:1] == ["help"]:
        from rich_click import RichHelpConfiguration  # only help needs it, and it takes 0.1 s
        from rich_click.patch import patch

        patch(
            RichHelpConfiguration(
                text_paragraph_linebreaks="\n\n", padding_helptext_first_line=(0, 0, 1, 0)
            )
        )
    import click

    # After the patch, which replaces the base classes.
    from archscope.cli.shared.app import archscope
    from archscope.cli.shared.process import Terminated, check_surroundings
    from archscope.cli.shared.terminal import NORMAL, set_verbosity, warn
    from archscope.plugins import problems

    set_verbosity(NORMAL)
    problems.tell = lambda problem: warn(f"warning: {problem}")
    try:
        check_surroundings(words)
        code = archscope.main(words, obj=words, prog_name="archscope", standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()
    except (KeyboardInterrupt, click.Abort) as error:
        terminated = isinstance(error, Terminated) or isinstance(error.__cause__, Terminated)
        warn("terminated" if terminated else "interrupted")
        return TERMINATED if terminated else INTERRUPTED
    except BrokenPipeError:
        return FINE
    except Exception as error:
        line = _line_of(error, words)
        if line is None:
            raise
        warn(line)
        return FAILED
    return code if isinstance(code, int) else FINE


def _line_of(error: Exception, words: list[str]) -> str | None:
    """Return the line on standard error for an error; None if it is a fault of archscope."""
    import click

    from archscope.cli.shared.process import reason
    from archscope.cli.shared.terminal import is_verbose, warn
    from archscope.cli.shared.usage import error_line, usage_text
    from archscope.errors import ArchscopeError

    if isinstance(error, click.ClickException):
        return f"error: {usage_text(error, words)}"
    if isinstance(error, ArchscopeError):
        if is_verbose():
            from traceback import format_exception

            warn("".join(format_exception(error)).rstrip())
        return error_line(error, words)
    text: str | None
    if isinstance(error, ImportError):
        from archscope.extras import advice

        text = advice(error, next((word for word in words if word[:1] != "-"), ""))
    elif isinstance(error, OSError):
        text = reason(error)
    elif isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        text = "out of memory"  # that of torch is a RuntimeError
    else:
        from archscope.plugins import loading

        text = loading.blame(error)
    return None if text is None else f"error: {text}"
