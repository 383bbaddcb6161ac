"""Collects the values of ncnn blobs by name, and adds the operators of layers.

A blob with three axes is (channels, height, width), like ours; with two axes it is (height, width),
where height takes the place of our channels, and with four (channels, depth, height, width), as in
ncnn's own numbering of axes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import Any

from msgspec import Struct

from archscope.importers.file_graph import FileGraph
from archscope.importers.ncnn.param_file import ParamLayer
from archscope.importers.ncnn.size_expression import evaluated
from archscope.ir import Shape
from archscope.ops import OPS

REST = -233
"""The number that ncnn writes for a missing size."""

SAME = ("Split", "Noop", "Quantize", "Dequantize", "Requantize", "Cast", "Packing", "DeepCopy")
"""Layers that return the value itself for each top."""

Step = tuple[str, float | str]
"""An operator and the value of its principal attribute."""


class Value(Struct, frozen=True):
    """The value of a blob: a node, and which of the node's axes the blob's are, if not the same.

    The permutation is added once a layer needs it; element-wise layers do not.
    """

    node: str
    order: tuple[int, ...] = ()


ASIDE = Value("")
"""Marks blobs that are not feature maps: boxes that depend only on sizes."""


class Constant(Struct, frozen=True):
    """A tensor that the file holds."""

    shape: Shape
    title: str  # of the layer that holds it
    line: int


class Conversion:
    """The graph under construction, and the value of each blob.

    A blob has no node if it is `ASIDE`, and no value if its shape is not known.
    """

    def __init__(self, path: Path, layers: Sequence[ParamLayer]) -> None:
        self.made = FileGraph(path, [layer.name for layer in layers])
        self.values: dict[str, Value | None] = {}
        self.constants: dict[str, Constant] = {}
        self.start = ""  # the first input
        self.held: dict[Constant, str] = {}  # constants that became nodes
        self.permuted: dict[Value, str] = {}
        self.readers = Counter(
            blob for layer in layers if layer.kind not in SAME for blob in layer.bottoms
        )
        for layer in reversed(layers):  # the readers of a copy read the original
            if layer.kind in SAME and layer.bottoms:
                self.readers[layer.bottoms[0]] += sum(self.readers[top] for top in layer.tops)

    def constant(self, layer: ParamLayer, place: int) -> Constant | None:
        """Return the constant that a layer reads, if it is the only layer that does."""
        blob = layer.bottoms[place] if place < len(layer.bottoms) else ""
        found = self.constants.get(blob)
        if found is None or found in self.held:
            return None
        copies = (name for name, constant in self.constants.items() if constant == found)
        return found if max(self.readers[name] for name in copies) == 1 else None

    def value(self, layer: ParamLayer, place: int = 0) -> Value:
        """Return the value of an input; a constant becomes a node. Raises SpecError."""
        if place >= len(layer.bottoms):
            said = "has no input" if not place else f"needs {place + 1} inputs, got {place}"
            raise self.error(layer, f"({layer.kind}) {said}")
        found = self.constants.get(layer.bottoms[place])
        if found is None:
            value = self.values[layer.bottoms[place]]
            assert value is not None
            return value
        if found not in self.held:
            if not self.start:
                raise self.error(layer, "reads only constants")
            self.held[found] = self.made.add(
                found.title, found.line, "parameter", [self.start], size=found.shape
            )
        return Value(self.held[found])

    def shape(self, layer: ParamLayer, place: int = 0) -> Shape:
        """Return the shape of an input."""
        found = self.constants.get(layer.bottoms[place]) if place < len(layer.bottoms) else None
        return found.shape if found else self.shape_of(self.value(layer, place))

    def shape_of(self, value: Value | str) -> Shape:
        """Return the shape of a value, its axes in the order of the blob."""
        if isinstance(value, str):
            return self.made.shape(value)
        shape = self.made.shape(value.node)
        return tuple(shape[axis] for axis in value.order) if value.order else shape

    def node(self, layer: ParamLayer, place: int = 0) -> str:
        """Return the node of an input, its axes in the order of the blob."""
        return self.plain(self.value(layer, place), layer.name, layer.line)

    def nodes(self, layer: ParamLayer) -> list[str]:
        """Return the nodes of all inputs, of which there is at least one."""
        return [self.node(layer, place) for place in range(max(len(layer.bottoms), 1))]

    def plain(self, value: Value, title: str, line: int) -> str:
        """Return the node of a value after its permutation."""
        if value.order in ((), (*range(len(value.order)),)):
            return value.node
        if value not in self.permuted:
            self.permuted[value] = self.made.add(
                f"{title}_permute", line, "permute", [value.node], order=value.order
            )
        return self.permuted[value]

    def turned(self, layer: ParamLayer, value: Value, order: Sequence[int]) -> str:
        """Return a node whose axes are these axes of a blob."""
        own = value.order or range(len(order))
        return self.plain(Value(value.node, tuple(own[axis] for axis in order)), layer.name,
                          layer.line)  # fmt: skip

    def along(self, value: Value, axis: int) -> int:
        """Return the axis of a value's node that is this axis of the blob."""
        return value.order[axis] if value.order else axis

    def sizes(self, layer: ParamLayer, number: int) -> list[int]:
        """Return the integers of a parameter that is an expression of input sizes."""
        shapes = [self.shape(layer, place) for place in range(len(layer.bottoms))]
        return evaluated(layer.texts[number], shapes, layer.at)

    def add(
        self, layer: ParamLayer, word: str, inputs: Sequence[str] | None = None, **given: Any
    ) -> str:
        """Add an operator for a layer, by default on its first input."""
        sources = [self.node(layer)] if inputs is None else inputs
        return self.made.add(layer.name, layer.line, word, sources, **given)

    def part(
        self, layer: ParamLayer, title: str, word: str, inputs: Sequence[str], **given: Any
    ) -> str:
        """Add one of several operators for a layer."""
        return self.made.add(f"{layer.name}_{title}", layer.line, word, inputs, **given)

    def reshaped(self, layer: ParamLayer, title: str, node: str, size: Shape) -> str:
        """Reshape a node, unless it has the shape."""
        if self.made.shape(node) == size:
            return node
        return self.part(layer, title, "reshape", [node], size=size)

    def mapped(self, layer: ParamLayer, word: str, **given: Any) -> Value:
        """Add an element-wise operator on the first input, whatever the order of its axes."""
        value = self.value(layer)
        return Value(self.add(layer, word, [value.node], **given), value.order)

    def chained(self, layer: ParamLayer, value: Value, *steps: Step) -> Value:
        """Add element-wise operators one after another, each with its principal attribute."""
        node = value.node
        for word, number in steps:
            node = self.part(layer, word, word, [node], **{OPS[word].principal or "": number})
        return Value(node, value.order)

    def opaque(self, layer: ParamLayer, each: int | None = 0, **given: Any) -> str:
        """Add a layer without an equivalent operator, with its operations per output value."""
        nodes = self.nodes(layer)
        stated = layer.shapes()
        size = given.setdefault("size", stated[0] if stated else self.made.shape(nodes[0]))
        if each is not None:
            given = {"products": 0, "work": each * prod(size), **given}
        return self.made.opaque(layer.name, layer.line, f"ncnn.{layer.kind}", nodes, **given)

    def error(self, layer: ParamLayer, message: str) -> Exception:
        """Return the error to raise for a layer."""
        return self.made.error(f"'{layer.name[:60]}' {message}", layer.line)
