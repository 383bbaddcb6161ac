"""Options that commands share, and what they turn into."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from archscope.analysis.cost import DTYPES
from archscope.analysis.memory import OPTIMIZERS
from archscope.errors import OptionError
from archscope.ir import Graph, Shape
from archscope.language import LIMITS, graph
from archscope.language.document import Document
from archscope.language.limits import Limits
from archscope.language.yaml_items import parse
from archscope.sources import document, is_foreign

Command = TypeVar("Command", bound=Callable[..., Any])

FORMATS = ("table", "json", "csv", "markdown")


def together(*decorators: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Return one decorator for several, in the order of the help."""

    def decorate(command: Command) -> Command:
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return decorate


one_spec = click.argument("spec")
many_specs = click.argument("specs", nargs=-1, required=True, metavar="SPEC...")

spec_options = together(
    click.option(
        "--set", "settings", multiple=True, metavar="NAME=VALUE",
        help="Give a name of the spec's `let` another value: --set width=0.5.",
    ),
    click.option(
        "--input", "inputs", multiple=True, metavar="SHAPE",
        help="Another input, channels first: --input 3x320x320, or NAME=SHAPE of several.",
    ),
    click.option(
        "--max-nodes", type=click.IntRange(1), default=LIMITS.nodes, show_default=True,
        help="Refuse specs that grow beyond this.",
    ),
)  # fmt: skip

cost_options = together(
    click.option(
        "--batch", type=click.IntRange(1), default=1, show_default=True, help="Images at once."
    ),
    click.option(
        "--dtype", type=click.Choice(list(DTYPES)), default="float32", show_default=True,
        help="Element type that bytes are counted for.",
    ),
    click.option(
        "--optimizer", type=click.Choice(list(OPTIMIZERS)), default="momentum",
        show_default=True, help="Optimizer that training memory is counted for.",
    ),
    click.option(
        "--training/--inference", default=False,
        help="Take in the parts that serve only training, such as auxiliary heads; or not.",
    ),
)  # fmt: skip

output_options = together(
    click.option(
        "--format", "form", type=click.Choice(FORMATS), default="table", show_default=True,
        help="How to write the result.",
    ),
    click.option(
        "--output", "-o", type=click.Path(path_type=Path), metavar="FILE",
        help="Write to a file instead of the terminal.",
    ),
)  # fmt: skip


def load_spec(
    spec: str,
    settings: Sequence[str] = (),
    inputs: Sequence[str] = (),
    max_nodes: int = LIMITS.nodes,
) -> Graph:
    """Return the graph that command-line words ask for. Raises ArchscopeError."""
    return load_document(spec, settings, inputs, max_nodes)[0]


def load_document(
    spec: str, settings: Sequence[str], inputs: Sequence[str], max_nodes: int
) -> tuple[Graph, Document]:
    """Return the graph that command-line words ask for, and its document. Raises ArchscopeError."""
    limits = Limits(nodes=max_nodes)
    read = read_spec(spec, limits, inputs)
    asked = dict(map(setting, settings))
    # A model is imported for the inputs asked for, so that nothing is left to change.
    given = None if is_foreign(spec) else shapes(inputs)
    return graph(read, set=asked, input=given, limits=limits), read


def read_spec(spec: str, limits: Limits = LIMITS, inputs: Sequence[str] = ()) -> Document:
    """Return the document that a command-line word names. Raises ArchscopeError."""
    text = sys.stdin.buffer.read(limits.file_bytes + 1) if spec == "-" else None
    return document(spec, limits, text, input=shapes(inputs))


def setting(text: str) -> tuple[str, Any]:
    """Return the name and value of `--set NAME=VALUE`. Raises OptionError."""
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise OptionError(f"--set needs NAME=VALUE, got '{text}'")
    if not value:
        raise OptionError(f"--set {name}= has no value")
    return name, parse(value, f"--set {name}", LIMITS).plain()


def shapes(texts: Sequence[str]) -> Shape | dict[str, Shape] | None:
    """Return what `--input` gives, None for nothing. Raises OptionError."""
    if not texts:
        return None
    if len(texts) == 1 and "=" not in texts[0]:
        return _shape(texts[0])
    named = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise OptionError(f"--input is given more than once and needs NAME=SHAPE, got '{text}'")
        named[name] = _shape(value)
    return named


def _shape(text: str) -> Shape:
    sizes = text.lower().split("x")
    if not 1 <= len(sizes) <= 4 or not all(
        size.isdecimal() and len(size) < 10 and int(size) for size in sizes
    ):
        raise OptionError(f"--input needs a shape such as 3x224x224, got '{text}'")
    return tuple(map(int, sizes))


def write(text: str, path: Path | None) -> None:
    """Print a text, or put it into a file whole: never half of it, even when interrupted."""
    if path is None:
        click.echo(text, nl=not text.endswith("\n"))
        return
    write_bytes((text if text.endswith("\n") else f"{text}\n").encode(), path)


def write_bytes(content: bytes, path: Path) -> None:
    """Put bytes into a file whole: never half of them, even when interrupted."""
    temporary = None
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            temporary = Path(file.name)
            file.write(content)
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OptionError(f"cannot write '{path}': {reason[0].lower()}{reason[1:]}") from None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def show(parts: list[Any], form: str, path: Path | None, data: Callable[[], Any]) -> None:
    """Write tables and lines, or the data behind them, in the format asked for."""
    if form == "json":
        import msgspec

        write(msgspec.json.format(msgspec.json.encode(data()), indent=2).decode(), path)
    elif form == "csv":
        from archscope.report.formats import csv

        write(csv.text(parts), path)
    elif form == "markdown":
        from archscope.report.formats import markdown

        write(markdown.text(parts), path)
    else:
        from archscope.report.formats import terminal

        if path is None:
            terminal.render(parts)
        else:
            write(terminal.text(parts), path)
