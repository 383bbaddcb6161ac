"""Read the XML of an OpenVINO IR: its layers, their attributes and ports, and its edges.

Expat of the standard library reads it. A document type is refused where it begins, so that no
entity is ever defined, and none expanded or fetched.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from archscope.errors import DataError, LimitError
from archscope.importers.file_content import content_of

MOST_BYTES = 1 << 26
MOST_LAYERS = 50_000
MOST_DEPTH = 64
MOST_AXES = 16

VERSIONS = ("10", "11")
"""The supported versions of the format, of 2020 and of 2022."""

NETWORK = re.compile(rb"\s*(<\?xml[^>]*>)?\s*(<!--.*?-->\s*)*<net[\s>]", re.DOTALL)

LAYER = ("net", "layers", "layer")
EDGE = ("net", "edges", "edge")


class Port(Struct):
    """An input or output of a layer."""

    precision: str
    names: str  # those of its tensor, separated by commas
    dims: list[int] = []  # -1 for an axis of any size


class Layer(Struct):
    """A layer of the file."""

    id: str
    name: str
    kind: str
    opset: str
    line: int
    attributes: dict[str, str] = {}
    inputs: dict[str, Port] = {}
    outputs: dict[str, Port] = {}
    sources: dict[str, tuple[str, str]] = {}  # the layer and output that each input reads
    body: bool = False

    def __str__(self) -> str:
        """Return the name for messages."""
        return f"{self.kind} '{self.name[-100:]}'"


def is_network(source: str) -> bool:
    """Return whether an XML file is a network, or there is none."""
    try:
        with Path(source).open("rb") as file:
            return NETWORK.match(file.read(4096)) is not None
    except (OSError, ValueError):
        return True  # the importer says what is wrong


def read_layers(path: Path) -> list[Layer]:
    """Return the layers of a file, each after those that it reads. Raises ArchscopeError."""
    content = content_of(path)
    if len(content) > MOST_BYTES:
        raise LimitError(f"the file is larger than the limit of {MOST_BYTES} bytes")
    reader = _Reader()
    reader.read(bytes(content[:]))
    for at, start, start_port, end, end_port in reader.edges:
        source, target = reader.layers.get(start), reader.layers.get(end)
        if source is None or target is None:
            raise DataError(f"line {at}: an edge names a layer that the file does not have")
        if start_port not in source.outputs or end_port not in target.inputs:
            raise DataError(f"line {at}: an edge names a port that its layer does not have")
        if end_port in target.sources:
            raise DataError(f"line {at}: an input of {target} has two edges")
        target.sources[end_port] = start, start_port
    for layer in reader.layers.values():
        if len(layer.sources) < len(layer.inputs):
            raise DataError(f"line {layer.line}: an input of {layer} has no edge")
    return _ordered(reader.layers)


def _ordered(layers: dict[str, Layer]) -> list[Layer]:
    """Return layers, each after those that it reads. Raises DataError for a circle."""
    waiting = {key: {source for source, _ in layer.sources.values()}
               for key, layer in layers.items()}  # fmt: skip
    readers: dict[str, list[str]] = {}
    for key, sources in waiting.items():
        for source in sources:
            readers.setdefault(source, []).append(key)
    ready = [key for key, sources in waiting.items() if not sources]
    for key in ready:  # the list grows
        for reader in readers.get(key, ()):
            waiting[reader].discard(key)
            if not waiting[reader]:
                ready.append(reader)
    if len(ready) < len(layers):
        raise DataError("its layers read each other in a circle")
    return [layers[key] for key in ready]


class _Reader:
    """Takes the elements of the file one by one."""

    def __init__(self) -> None:
        from xml.parsers.expat import ParserCreate

        self.layers: dict[str, Layer] = {}
        self.edges: list[tuple[int, str, str, str, str]] = []
        self.path: list[str] = []
        self.layer: Layer | None = None
        self.port: Port | None = None
        self.text = ""
        self.parser = ParserCreate()
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end
        self.parser.CharacterDataHandler = self.characters
        self.parser.StartDoctypeDeclHandler = self.refuse_document_type

    def read(self, content: bytes) -> None:
        """Read the whole file. Raises DataError unless it is the XML of a network."""
        from xml.parsers.expat import ExpatError

        try:
            self.parser.Parse(content, True)
        except ExpatError as error:
            raise DataError(f"is not a network of OpenVINO: no valid XML: {error}") from None
        if not self.layers:
            raise DataError("the network has no layers")

    def refuse_document_type(self, *_: Any) -> None:
        """Refuse a document type, in which entities are defined."""
        raise DataError(f"line {self.line}: a document type is not allowed in a network")

    @property
    def line(self) -> int:
        """The current line."""
        return int(self.parser.CurrentLineNumber)

    def start(self, tag: str, given: dict[str, str]) -> None:
        """Take the start of an element."""
        self.path.append(tag)
        if len(self.path) > MOST_DEPTH:
            raise LimitError(f"its elements are nested deeper than the limit of {MOST_DEPTH}")
        path = tuple(self.path)
        if path == ("net",):
            if given.get("version") not in VERSIONS:
                raise DataError(
                    f"is version {given.get('version', '?')[:20]} of the format, expected"
                    f" {' or '.join(VERSIONS)}; convert the model again with OpenVINO"
                )
        elif len(path) == 1:
            raise DataError(f"is not a network of OpenVINO, but XML of '{tag[:40]}'")
        elif path == LAYER:
            self.start_layer(given)
        elif path == EDGE:
            keys = ("from-layer", "from-port", "to-layer", "to-port")
            start, start_port, end, end_port = (given.get(key, "") for key in keys)
            self.edges.append((self.line, start, start_port, end, end_port))
        elif path[:3] == LAYER and self.layer is not None:
            self.start_part(path[3:], given)

    def start_layer(self, given: dict[str, str]) -> None:
        """Take the start of a layer."""
        if len(self.layers) == MOST_LAYERS:
            raise LimitError(f"it has more layers than the limit of {MOST_LAYERS}")
        key, kind = given.get("id", ""), given.get("type", "")
        if not key or not kind or key in self.layers:
            raise DataError(f"line {self.line}: a layer needs an id of its own, and a type")
        name = given.get("name") or key
        if not (name.isprintable() and kind.isprintable()):
            raise DataError(f"line {self.line}: {name[:60]!r} is not a name")
        self.layer = Layer(key, name, kind, given.get("version", ""), self.line)
        self.layers[key] = self.layer

    def start_part(self, path: Sequence[str], given: dict[str, str]) -> None:
        """Take the start of an element inside a layer."""
        layer = self.layer
        assert layer is not None
        if path == ("data",):
            layer.attributes = dict(given)
        elif path[-1] in ("body", "then_body", "else_body") and len(path) == 1:
            layer.body = True
        elif path in (("input", "port"), ("output", "port")):
            ports = layer.inputs if path[0] == "input" else layer.outputs
            self.port = Port(given.get("precision", ""), given.get("names", ""))
            ports[given.get("id", "")] = self.port
        elif path[-1] == "dim" and len(path) == 3:
            self.text = ""

    def characters(self, text: str) -> None:
        """Take text; only the sizes of axes are text."""
        if len(self.path) == 6 and self.path[-1] == "dim":
            self.text += text[:40]

    def end(self, tag: str) -> None:
        """Take the end of an element."""
        if tag == "dim" and len(self.path) == 6 and self.port is not None:
            try:
                size = int(self.text)
            except ValueError:
                raise DataError(
                    f"line {self.line}: {self.text[:40]!r} is not the size of an axis"
                ) from None
            if not -1 <= size < 2**62 or len(self.port.dims) == MOST_AXES:
                raise DataError(f"line {self.line}: {size} is not the size of an axis")
            self.port.dims.append(size)
        self.path.pop()
