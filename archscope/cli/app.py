"""The table of commands."""

from __future__ import annotations

from importlib import import_module
from keyword import iskeyword

import click

from archscope import __version__
from archscope.errors import did_you_mean

COMMANDS = (
    "analyze", "compare", "lint", "guidelines", "verify", "bench", "device", "build", "import",
    "export", "convert", "im2col", "reconcile", "draw", "plot", "report", "data", "recipes",
    "train", "runs", "evaluate", "predict", "space", "search", "zoo", "ops", "rule", "schema",
)  # fmt: skip
"""Every command, in the order of the help; each is a file of this folder."""


class Commands(click.Group):
    """Finds a command by its file, so that one command does not pay for the others."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, or None if there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        file = f"{cmd_name}_" if iskeyword(cmd_name) else cmd_name
        command: click.Command = import_module(f"archscope.cli.{file}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that the arguments name, or fail with the nearest name."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            ctx.fail(f"no command '{args[0]}'{did_you_mean(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="archscope")
def archscope() -> None:
    """Exact, instant analysis of convolutional architectures.

    A SPEC is a YAML file, the name of a network of the zoo, `-` for standard input, a one-line
    pattern, or a model to import: `package.module:name`, or a path that ends in .onnx.

    \b
    Examples:
      archscope analyze vgg16
      archscope analyze specs/resnet50.yaml --fold 1 --batch 8
      archscope analyze "INPUT 3x32x32 -> [[CONV 12 -> RELU]*2 -> POOL]*3 -> FC 10"
      archscope compare vgg16 resnet50 shufflenet_v2_x1_0
    """
