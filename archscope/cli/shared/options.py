"""Options that several commands share, the reader of specs and the output."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click
from msgspec import Struct, structs

from archscope.analysis.cost import DTYPES
from archscope.analysis.memory import OPTIMIZERS
from archscope.analysis.microcontroller import TARGETS
from archscope.cli.shared import completion
from archscope.cli.shared.output_files import OutputPath
from archscope.cli.shared.terminal import show
from archscope.errors import OptionError
from archscope.files import write_text
from archscope.ir import Graph, Shape
from archscope.language import LIMITS
from archscope.language.document import Document
from archscope.language.limits import Limits
from archscope.language.yaml_items import parse
from archscope.report import formats
from archscope.report.naming import told_apart
from archscope.report.table import CommandOutput, Part, Table
from archscope.sources import document, read
from archscope.transforms.fuse import fuse
from archscope.units import parse_shape

Command = TypeVar("Command", bound=Callable[..., Any])


def together(*decorators: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Combine decorators into one; options appear in the help in this order."""

    def decorate(command: Command) -> Command:
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return decorate


def gathered(
    argument: str, make: Callable[..., Any], options: Callable[[Any], Any]
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator that adds options and passes `make(**values)` as one argument."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(command)
        def run(**values: Any) -> Any:
            own = {name: values.pop(name) for name in names}
            return command(**values, **{argument: make(**own)})

        before = len(getattr(command, "__click_params__", ()))
        decorated: Callable[..., Any] = options(run)
        # click leaves it on functions, whose types have no such attribute
        names = [param.name for param in getattr(decorated, "__click_params__")[before:]]  # noqa: B009
        return decorated

    return decorate


class Parsed(click.ParamType):  # type: ignore[type-arg]  # not generic in all versions
    """The type of an option whose value a function parses; its errors name the option."""

    name = "text"

    def __init__(self, parse: Callable[[str], Any]) -> None:
        self.parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Parse a value."""
        if not isinstance(value, str):
            return value
        try:
            return self.parse(value)
        except OptionError as error:
            self.fail(str(error), param, ctx)


class SpecPath(OutputPath):
    """The type of a file that a spec is written to."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path; fail for the suffix of another format."""
        path: Path = super().convert(value, param, ctx)
        if path.suffix not in ("", ".yaml", ".yml"):
            self.fail(f"a spec is written as .yaml, got '{path}'", param, ctx)
        return path


one_spec = click.argument("spec", shell_complete=completion.specs)
many_specs = click.argument(
    "specs", nargs=-1, required=True, metavar="SPEC...", shell_complete=completion.specs
)
max_nodes_option = click.option(
    "--max-nodes", type=click.IntRange(1), default=LIMITS.nodes,
    help="Reject specs that expand to more layers than this.",
)  # fmt: skip
batch_option = click.option("--batch", type=click.IntRange(1), default=1, help="Images per batch.")
dtype_option = click.option(
    "--dtype", type=click.Choice(list(DTYPES)), default="float32",
    help="Element type for counting bytes; biases of int8 networks are int32.",
)  # fmt: skip
dtype_or_stored_option = click.option(
    "--dtype", type=click.Choice(list(DTYPES)),
    help="Element type for counting bytes; biases of int8 networks are int32.  [default: that of"
    " an imported file, or float32]",
)  # fmt: skip
training_option = click.option(
    "--training/--inference", show_default=False,
    help="Include or leave out parts that serve only training, such as auxiliary heads.",
)  # fmt: skip
output_option = click.option(
    "--output", "-o", type=OutputPath(), metavar="FILE",
    help="Write to this file instead of the terminal.",
)  # fmt: skip
spec_output_option = click.option(
    "--output", "-o", type=SpecPath(), metavar="FILE",
    help="Write the spec to this .yaml file instead of the terminal.",
)  # fmt: skip
THREADS = click.IntRange(1, 1024)
"""The threads of a computation; torch crashes if the system cannot create as many as are asked."""
wide_option = click.option(
    "--wide", is_flag=True, help="Show all columns of a table, even if they do not fit."
)

change_options = together(
    click.option(
        "--set", "settings", multiple=True, metavar="NAME=VALUE",
        help="Override a value in the spec's `let`: --set width=0.5.",
    ),
    click.option(
        "--input", "inputs", multiple=True, metavar="SHAPE",
        help="Replace the input shape, channels first: --input 3x320x320, or NAME=SHAPE for several"
        " inputs.",
    ),
)  # fmt: skip
spec_options = together(change_options, max_nodes_option)
fused_option = click.option(
    "--fused", is_flag=True,
    help="Fold batch norms into the layers before them, as for deployment.",
)  # fmt: skip

cost_options = gathered("costs", dict, together(
    batch_option,
    dtype_or_stored_option,
    click.option(
        "--optimizer", type=click.Choice(list(OPTIMIZERS)), default="momentum",
        help="Optimizer for counting training memory.",
    ),
    training_option,
    click.option(
        "--target", type=click.Choice(TARGETS),
        help="Also count the needs of a microcontroller: flash, RAM and scratch memory for int8.",
    ),
))  # fmt: skip
"""The keyword arguments of `analyze` that say what is counted, as the `costs` of a command."""


class SpecReader(Struct, frozen=True):
    """Reads specs, applying the options of the command line to each."""

    settings: Sequence[str] = ()
    inputs: Sequence[str] = ()
    max_nodes: int = LIMITS.nodes
    fused: bool = False

    @property
    def unfused(self) -> SpecReader:
        """The same reader without --fused."""
        return structs.replace(self, fused=False)

    @property
    def unchanged(self) -> SpecReader:
        """A reader that applies no option but the limits."""
        return SpecReader(max_nodes=self.max_nodes)

    @property
    def limits(self) -> Limits:
        """The limits for reading specs."""
        return Limits(nodes=self.max_nodes)

    @property
    def changes(self) -> dict[str, Any]:
        """The keyword arguments `set` and `input` of a network. Raises OptionError."""
        return {"set": dict(map(setting, self.settings)), "input": shapes(self.inputs)}

    def source(self, spec: str) -> Document:
        """Return the document that a word names, perhaps with holes. Raises ArchscopeError."""
        text = _standard_input(spec, self.limits)
        return document(spec, self.limits, text, input=shapes(self.inputs))

    def graph(self, spec: str, batch: int = 1) -> Graph:
        """Return the graph that a command-line word names. Raises ArchscopeError."""
        return self.document(spec, batch)[0]

    def graphs(self, specs: Sequence[str], batch: int = 1) -> list[Graph]:
        """Return the graphs of several words, under distinct names. Raises ArchscopeError."""
        found = [self.graph(spec, batch) for spec in specs]
        names = told_apart([graph.name for graph in found], specs)
        return [structs.replace(g, name=name) for g, name in zip(found, names, strict=True)]

    def document(self, spec: str, batch: int = 1) -> tuple[Graph, Document]:
        """Return the graph that a word names, and its document. Raises ArchscopeError."""
        text = _standard_input(spec, self.limits)
        graph, found = read(spec, self.limits, text, batch=batch, **self.changes)
        return (fuse(graph) if self.fused else graph), found

    def refuse_training(self, training: bool) -> None:
        """Raise OptionError if --fused is combined with --training."""
        if self.fused and training:
            raise OptionError("--fused excludes --training: a folded batch norm cannot be trained")


reader_options = gathered("reader", SpecReader, together(spec_options, fused_option))
"""The options for reading specs, as the `reader` of a command."""
unfused_reader_options = gathered("reader", SpecReader, spec_options)
"""The same without --fused."""


def _standard_input(spec: str, limits: Limits) -> bytes | None:
    if spec != "-":
        return None
    if sys.stdin is None:
        raise OptionError("cannot read standard input: it is closed")
    return sys.stdin.buffer.read(limits.file_bytes + 1)


def setting(text: str) -> tuple[str, Any]:
    """Parse `--set NAME=VALUE`. Raises OptionError."""
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise OptionError(f"--set needs NAME=VALUE, got '{text}'")
    if not value:
        raise OptionError(f"--set {name}= has no value")
    return name, parse(value, f"--set {name}", LIMITS).plain()


def shapes(texts: Sequence[str]) -> Shape | dict[str, Shape] | None:
    """Parse the values of `--input`; None if there are none. Raises OptionError."""
    if not texts:
        return None
    if len(texts) == 1 and "=" not in texts[0]:
        return _shape(texts[0])
    named = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise OptionError(f"--input needs NAME=SHAPE if given more than once, got '{text}'")
        named[name] = _shape(value)
    return named


def _shape(text: str) -> Shape:
    shape = parse_shape(text)
    if shape is None:
        raise OptionError(f"--input needs a shape such as 3x224x224, got '{text}'")
    return shape


def write(text: str, path: Path | None) -> None:
    """Print a text, or write it to a file. Raises OptionError if that fails."""
    if path is None:
        show(text)
    else:
        write_text(path, text if text.endswith("\n") else f"{text}\n")


class Output(Struct, frozen=True):
    """Where and in which format a command writes its result."""

    form: str = "table"
    output: Path | None = None
    wide: bool = False

    def show(
        self,
        parts: Sequence[Part],
        data: Callable[[], Any] = dict,
        records: Callable[[], Table] | None = None,
    ) -> None:
        """Write a result. The arguments are those of `CommandOutput`."""
        shown = CommandOutput(parts, data, records, self.wide)
        write(formats.render(shown, self.form, screen=self.output is None), self.output)


def _output(form: str | None, output: Path | None, wide: bool) -> Output:
    """Return the output; without a format, the suffix of the file decides.

    Raises OptionError for a suffix of another kind of file.
    """
    suffix = "" if output is None else output.suffix.lower()
    if suffix in BINARY:
        raise OptionError(
            f"--output: cannot write {suffix}; formats are {', '.join(formats.FORMATS)}"
        )
    return Output(form or SUFFIXES.get(suffix, "table"), output, wide)


SUFFIXES = {".json": "json", ".csv": "csv", ".md": "markdown", ".tex": "latex"}
BINARY = {".pdf", ".png", ".jpg", ".jpeg", ".svg", ".html", ".xlsx", ".docx", ".parquet"}
output_options = gathered("output", _output, together(
    click.option(
        "--format", "form", type=click.Choice(formats.FORMATS), default=None,
        help="Output format. Default: that of the file's suffix, or table.",
    ),
    output_option,
    wide_option,
))  # fmt: skip
"""The format and file of a result, as the `output` of a command."""
