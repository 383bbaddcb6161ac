"""Builds a graph from the layers of a file one by one; shared by several formats."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from math import prod
from pathlib import Path
from typing import Any

from archscope.axes import MOST_POSITIONS
from archscope.errors import (
    ArchscopeError,
    LimitError,
    OptionError,
    ShapeError,
    SpecError,
    UnavailableError,
    quoted,
    reason_of,
    shortened,
)
from archscope.graph_builder import GraphBuilder
from archscope.importers.formats import Inputs
from archscope.importers.names import name_part, take_name, valid_start
from archscope.ir import Graph, Op, Output, Shape, Source, text_of
from archscope.ops import OPS
from archscope.ops.attributes import attributes
from archscope.scopes import scopes_of
from archscope.transforms.join_attention import join_attention
from archscope.transforms.shorten_moves import shorten_moves

MOST_BYTES = 1 << 21  # of a file
MOST_NODES = 20_000
MOST_OUTPUTS = 1_000
MOST_ELEMENTS = 2**63 - 1  # of a feature map


def read_text(path: Path) -> str:
    """Return the text of a file. Raises UnavailableError, LimitError or SpecError."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise UnavailableError(f"{path.as_posix()}: there is no such file") from None
    except OSError as error:
        raise UnavailableError(f"{path.as_posix()}: cannot be read: {reason_of(error)}") from None
    if len(content) > MOST_BYTES:
        raise LimitError(f"the file is larger than the limit of {MOST_BYTES} bytes", path)
    if b"\0" in content:
        raise SpecError("is not a text file", path.as_posix())
    return content.decode("utf-8", "replace")


class FileGraph:
    """Collects the operators of the layers of a file, each with its line.

    The line is 0 in binary files.
    """

    def __init__(self, path: Path, titles: Iterable[str] = ()) -> None:
        """`titles` are the names of all layers, if known, so that none becomes another's scope."""
        self.path = path
        self.builder = GraphBuilder()
        self.notes: list[str] = []
        self.read: set[str] = set()
        self.names: dict[str, int] = {}
        self.scopes = {scope for title in titles for scope in scopes_of(_dotted(title))}

    def at(self, line: int) -> Source | None:
        """Return a place in the file."""
        return Source(self.path.as_posix(), line, 1) if line else None

    def error(self, message: str, line: int) -> SpecError:
        """Return the error to raise for a problem in a line."""
        return SpecError(message, self.at(line) or self.path.as_posix())

    def shape(self, node: str) -> Shape:
        """Return the output shape of a node."""
        return self.builder.nodes[node].out

    def input(self, title: str, shape: Shape, line: int) -> str:
        """Add an input and return its name."""
        return self.add(title, line, "input", (), size=shape)

    def add(self, title: str, line: int, word: str, inputs: Iterable[str], **given: Any) -> str:
        """Add the operator `word` with its attributes and return the name of its node.

        Raises SpecError for attributes or inputs that it cannot take, LimitError for a graph that
        is too large.
        """
        self.check(len(self.builder.nodes) + 1, MOST_NODES, "more layers than", line)
        name = _dotted(title)
        name = take_name(f"{name}.{word}" if name in self.scopes else name, self.names, self.scopes)
        self.scopes.update(scopes_of(name))
        inputs = tuple(inputs)
        try:
            self.builder.add(name, operator(word, **given), inputs, at=self.at(line))
        except (ShapeError, ArithmeticError) as error:
            raise self.error(str(error), line) from None
        shape = self.shape(name)
        self.check(prod(shape), MOST_ELEMENTS, "a feature map of more elements than", line)
        longest = max(shape[1:], default=1)
        self.check(longest, MOST_POSITIONS, "more positions along an axis than", line)
        self.read.update(inputs)
        return name

    def opaque(self, title: str, line: int, kind: str, inputs: Iterable[str], **given: Any) -> str:
        """Add a layer without an equivalent operator, and return the name of its node."""
        sources = tuple(dict.fromkeys(inputs))
        given.setdefault("size", self.shape(sources[0]))
        return self.add(title, line, "opaque", sources, kind=shortened(kind), **given)

    def flat(self, title: str, line: int, node: str) -> str:
        """Flatten a node if it is a feature map."""
        return self.add(title, line, "flatten", (node,)) if len(self.shape(node)) > 1 else node

    def check(self, count: int, most: int, what: str, line: int) -> None:
        """Raise LimitError if there is more of something than the limit."""
        if count > most:
            raise LimitError(f"{what} the limit of {most}", self.at(line) or self.path.as_posix())

    def graph(self, stated: Collection[str] = ()) -> Graph:
        """Return the graph; its outputs are the nodes without readers, and those stated in a file.

        Raises SpecError for an empty graph.
        """
        nodes = [n for n in self.builder.nodes.values() if n.inputs or n.name in self.read]
        ends = [n for n in nodes if n.inputs and (n.name not in self.read or n.name in stated)]
        if not ends:
            raise SpecError("the network has no layers", self.path.as_posix())
        self.check(len(ends), MOST_OUTPUTS, "more outputs than", 1)
        taken: dict[str, int] = {}
        titles = [name_part(node.name.rpartition(".")[2], "output") for node in ends]
        titles = ["output"] if len(ends) == 1 else [valid_start(title) for title in titles]
        outputs = tuple(
            Output(take_name(title, taken), node.name)
            for title, node in zip(titles, ends, strict=True)
        )
        name = name_part(self.path.stem, "network")
        graph = Graph(name, tuple(nodes), outputs, "; ".join(self.notes))
        return shorten_moves(join_attention(graph, masks=False)[0])


def operator(word: str, **given: Any) -> Op:
    """Return an operator, its attributes checked. Raises ShapeError."""
    table = attributes(OPS[word])
    for name, value in given.items():
        kind = table[name].kind
        try:
            given[name] = value if value is None else kind.read(value)
        except ValueError:
            raise ShapeError(
                f"'{name}' of '{word}' must be {kind.text}, got {quoted(value)}"
            ) from None
    return OPS[word](**given)


def sizes_of(stated: Mapping[str, Shape], given: Inputs) -> dict[str, Shape]:
    """Return the shapes of inputs: those that the user gives, else those that a file states.

    Raises OptionError for unknown inputs, and for an empty shape, which is unknown.
    """
    known = ", ".join(f"'{name}'" for name in stated)
    if given is not None and not isinstance(given, Mapping):
        if len(stated) != 1:
            raise OptionError(f"has the inputs {known}; give the shape of each by name")
        given = dict.fromkeys(stated, given)
    unknown = next((name for name in given or {} if name not in stated), None)
    if unknown is not None:
        raise OptionError(f"has no input '{unknown}', it has {known}")
    shapes = {**stated, **(given or {})}
    missing = [name for name, shape in shapes.items() if not shape]
    if len(missing) == 1:
        which = "" if len(stated) == 1 else f" {missing[0]}=SIZE"
        raise OptionError(
            f"does not state the size of its input '{missing[0]}'; give it with --input{which}"
        )
    if missing:
        *most, last = (f"'{name}'" for name in missing)
        options = " ".join(f"--input {name}=SIZE" for name in missing)
        raise OptionError(
            f"does not state the sizes of its inputs {', '.join(most)} and {last}; give them with"
            f" {options}"
        )
    for name, shape in shapes.items():
        if stated[name] and len(shape) != len(stated[name]):
            raise OptionError(
                f"the input '{name}' has shape {text_of(stated[name])}, got {text_of(shape)}"
            )
    return shapes


def named(path: Path, error: ArchscopeError) -> ArchscopeError:
    """Add the name of the file to an error without a location."""
    if isinstance(error, OptionError | ShapeError):
        return type(error)(f"{path.as_posix()}: {error}")
    return error


def _dotted(title: str) -> str:
    """Turn a layer's title in a file into a name: `conv2/3x3` is `conv2.3x3`."""
    parts = title.replace("/", ".").split(".")
    return valid_start(".".join(name_part(part) for part in parts[-16:] if part) or "layer")
