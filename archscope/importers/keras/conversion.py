"""Collects the nodes of Keras layers, whose shapes have the channels last; ours are first."""

from __future__ import annotations

from math import prod
from typing import Any

from msgspec import Struct

from archscope.errors import quoted
from archscope.importers.file_graph import FileGraph
from archscope.importers.keras.config import KerasLayer
from archscope.ir import Shape
from archscope.ops.geometry import short_padding

Pads = tuple[tuple[int, int], ...]


class Value(Struct, frozen=True):
    """A node, and zero padding around it that a convolution may absorb."""

    node: str
    pads: Pads = ()


class Conversion:
    """The graph under construction."""

    def __init__(self, made: FileGraph, late: bool) -> None:
        self.made = made
        self.late = late
        self.calls = 0  # of layers, counting layers of repeatedly called models each time
        self.owners: dict[str, list[str]] = {}  # the nodes with weights of each layer

    def add(self, title: str, word: str, *inputs: str, **given: Any) -> str:
        """Add an operator."""
        return self.made.add(title, 1, word, inputs, **given)

    def shape(self, node: str) -> Shape:
        """Return the shape of what a node gives."""
        return self.made.shape(node)

    def opaque(self, title: str, kind: str, *inputs: str, each: int = 0, **given: Any) -> str:
        """Add a layer without an equivalent operator, with its operations per output value."""
        size = given.setdefault("size", self.shape(inputs[0]))
        given = {"products": 0, "work": each * prod(size), **given}
        return self.made.opaque(title, 1, f"keras.{kind}", inputs, **given)

    def plain(self, title: str, value: Value) -> str:
        """Return the node of a value, with its padding as a layer."""
        if not value.pads:
            return value.node
        return self.add(f"{title}_pad", "pad", value.node, padding=short_padding(value.pads))

    def chained(self, title: str, node: str, *steps: tuple[str, dict[str, Any]]) -> str:
        """Add operators one after another, the last of which has the title itself."""
        for place, (word, given) in enumerate(steps, start=1):
            name = title if place == len(steps) else f"{title}_{word}"
            node = self.add(name, word, node, **given)
        return node

    def last(self, title: str, node: str) -> str:
        """Return a node with the channels after its positions."""
        rank = len(self.shape(node))
        if rank == 1:
            return node
        return self.add(f"{title}_last", "permute", node, order=(*range(1, rank), 0))

    def first(self, title: str, node: str) -> str:
        """Return a node with the last axis in front, as channels."""
        rank = len(self.shape(node))
        if rank == 1:
            return node
        return self.add(f"{title}_first", "permute", node, order=(rank - 1, *range(rank - 1)))

    def axis(self, layer: KerasLayer, axis: Any, node: str) -> int:
        """Return our axis for one of Keras, which counts the batch. Raises SpecError."""
        rank = len(self.shape(node)) + 1
        if not isinstance(axis, int) or not -rank < axis < rank or axis == 0:
            raise self.error(layer, f"has the axis {quoted(axis)} of {rank} axes")
        return axis % rank % (rank - 1)

    def error(self, layer: KerasLayer, message: str) -> Exception:
        """Return the error to raise for a layer."""
        return self.made.error(f"'{layer.name}' ({layer.kind}) {message}", 1)
