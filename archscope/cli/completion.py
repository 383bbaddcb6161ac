"""`archscope completion`: the script for shell completion."""

from __future__ import annotations

import os
from pathlib import Path

import click
from click.shell_completion import get_completion_class

from archscope.cli import COMPLETION
from archscope.cli.shared.terminal import show
from archscope.errors import OptionError

GROUP = "Reference"
SHELLS = ("bash", "zsh", "fish")


@click.command("completion")
@click.argument("shell", required=False, type=click.Choice(SHELLS))
@click.pass_context
def command(context: click.Context, shell: str | None) -> None:
    """Print the script that lets a shell complete commands, options, values and names.

    SHELL defaults to the shell in $SHELL. To install the script, add one line to the shell's
    configuration:

    \b
      bash, in ~/.bashrc:  eval "$(archscope completion bash)"
      zsh, in ~/.zshrc:    eval "$(archscope completion zsh)"
      fish:  archscope completion fish \\
               > ~/.config/fish/completions/archscope.fish

    \b
    Examples:
      archscope completion bash
    """
    shell = shell or Path(os.environ.get("SHELL", "")).name
    if shell not in SHELLS:
        raise OptionError(f"SHELL: name a shell, one of {', '.join(SHELLS)}")
    assert context.parent is not None
    kind = get_completion_class(shell)
    assert kind is not None
    show(kind(context.parent.command, {}, "archscope", COMPLETION).source())
