"""The command group `archscope`: each file of `archscope/cli` is one of its commands.

Each file defines the `command` and the `GROUP` under which the help lists it. A file is imported
only when its command runs; the help imports all of them.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any

import click

from archscope import __version__
from archscope.cli.shared.output_files import guard
from archscope.cli.shared.terminal import show
from archscope.cli.shared.verbosity import talk_options
from archscope.errors import did_you_mean

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

GROUPS = ("Understand", "Judge", "Make", "Train and search", "Share", "Reference")
"""The groups of commands in the help, in order."""

FILES = {
    module.name.rstrip("_"): module.name  # `import` is a keyword, its file is import_.py
    for module in iter_modules([str(Path(__file__).parents[1])])
    if not module.ispkg and "_" not in module.name.rstrip("_")  # bench_search is `bench search`
}
"""The module of each command, by the name of the command."""


class Commands(click.Group):
    """A group that imports the file of a command when the command is requested."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands, by group and then by name."""
        return sorted(FILES, key=lambda name: (GROUPS.index(_module(name).GROUP), name))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, or None if there is none with that name."""
        if cmd_name not in FILES:
            return None
        module = _module(cmd_name)
        command: click.Command = module.command
        if not any(param.name == "quiet" for param in command.params):
            command.params += talk_options()
            guard(command)
        setattr(command, "panel", module.GROUP)  # noqa: B010  (read by rich-click)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the commands that begin with an incomplete word, without importing them."""
        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        from click.shell_completion import CompletionItem  # only a shell needs it

        return [CompletionItem(name) for name in sorted(FILES) if name.startswith(incomplete)]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that the arguments name; fail with a suggestion if there is none."""
        if args and args[0] not in FILES and not args[0].startswith("-"):
            ctx.fail(_no_command(args))
        return super().resolve_command(ctx, args)


def _no_command(args: list[str]) -> str:
    """Return the error for a first word that is no command, but perhaps a network."""
    import shlex

    from archscope.language import shipped, spaces
    from archscope.language.files import is_file
    from archscope.sources import is_foreign

    word = args[0]
    if shipped(word) or is_file(Path(word)) or is_foreign(word):
        typed = shlex.join(["archscope", "space" if word in spaces() else "analyze", *args])
        return f"'{word}' is a network, not a command; type: {typed}"
    if (Path(word) / "run.json").is_file() or (Path(word) / "study.json").is_file():
        typed = shlex.join(["archscope", "report", *args])
        return f"'{word}' is a run or a study, not a command; type: {typed}"
    return f"no command '{word}'{did_you_mean(word, FILES)}"


def _module(name: str) -> Any:
    return import_module(f"archscope.cli.{FILES[name]}")


def _no_plugins(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        from archscope.plugins.discovery import OFF

        os.environ[OFF] = "1"  # inherited by child processes


def _version(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if not value:
        return
    from archscope.extras import installed_version

    found = [f"archscope {__version__}", f"Python {sys.version.split()[0]}"]
    packages = ("torch", "onnxruntime")
    found += [f"{name} {installed_version(name) or 'not installed'}" for name in packages]
    show(", ".join(found))
    context.exit()


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True},
    params=talk_options(),
)
@click.option(
    "--version", "-V", is_flag=True, is_eager=True, expose_value=False, callback=_version,
    help="Show the versions of archscope, Python, PyTorch and ONNX Runtime.",
)  # fmt: skip
@click.option(
    "--no-plugins", is_flag=True, is_eager=True, expose_value=False, callback=_no_plugins,
    help="Load no plug-ins.",
)  # fmt: skip
def archscope() -> None:
    """Exact, instant analysis of convolutional architectures.

    A SPEC is a YAML file, the name of a network of the zoo, `-` for standard input, a one-line
    pattern, or a model to import: `mynet.py`, `package.module:name`, or a file of ONNX, Core ML,
    OpenVINO, TensorFlow Lite, darknet, Caffe, ncnn, YOLO or Keras.

    \b
    Examples:
      archscope analyze vgg16
      archscope analyze specs/resnet50.yaml --fold 1 --batch 8
      archscope analyze "INPUT 1x28x28 -> [CONV 8 -> RELU -> POOL]*2 -> FC 10"
      archscope compare vgg16 resnet50 shufflenet_v2_x1_0
    """
