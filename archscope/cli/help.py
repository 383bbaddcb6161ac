"""`archscope help`: show the help of a command, as `--help` does."""

from __future__ import annotations

import click

from archscope.cli.shared import completion
from archscope.cli.shared.terminal import show

GROUP = "Reference"


@click.command("help")
@click.argument("words", nargs=-1, metavar="[COMMAND]...", shell_complete=completion.commands)
@click.pass_context
def command(context: click.Context, words: tuple[str, ...]) -> None:
    """Show the help of a command, or the list of all commands.

    It is what `archscope COMMAND --help` shows.

    \b
    Examples:
      archscope help
      archscope help analyze
      archscope help bench search
    """
    parent = context.parent
    assert parent is not None
    if words:
        parent.command.main([*words, "--help"], prog_name="archscope", standalone_mode=False)
    else:
        show(parent.get_help())
