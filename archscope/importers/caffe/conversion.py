"""Collects the nodes of a definition by value, and notes on values without a node."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import Any

from msgspec import structs

from archscope.importers.caffe.definition import CaffeLayer, Definition, Value
from archscope.importers.caffe.text_format import Message
from archscope.importers.caffe.weights import AFFINE, CaffeWeights, Form, Stored
from archscope.importers.file_graph import FileGraph
from archscope.importers.names import first_few
from archscope.ir import Graph, Shape

ASIDE = ""
"""Marks values that are not feature maps: labels, and boxes that depend only on sizes."""


class Conversion:
    """The graph under construction, and the node of each value of the definition.

    A value has no node if it is `ASIDE`, or None if its shape is not known.
    """

    def __init__(self, found: Definition) -> None:
        self.found = found
        self.made = FileGraph(found.path, [layer.name for layer in found.layers])
        self.values: dict[Value, str | None] = {}
        self.batch = 1
        self.weights: dict[str, str] = {}  # the first node with shared weights, by their name
        self.regions: dict[str, str] = {}  # inputs with one region, and the layers they stand for
        self.places: dict[str, tuple[dict[str, Any], Shape]] = {}  # the pool of indices, its map
        self.shown: list[str] = []  # nodes that are outputs although others read them
        self.stored: list[Stored] = []  # in the file of weights

    def graph(self) -> Graph:
        """Return the graph of the layers so far. Raises SpecError for an empty one."""
        graph = self.made.graph(self.shown)
        pools = [title for name, title in self.regions.items() if name in self.made.read]
        if not pools:
            return graph
        note = f"counted for one region, which is an input: {first_few(pools)}"
        return structs.replace(graph, about="; ".join(filter(None, (graph.about, note))))

    def nodes(self, layer: CaffeLayer) -> list[str]:
        """Return the nodes that a layer reads. Raises SpecError if there are none."""
        if not layer.sources:
            raise self.made.error(f"'{layer.name}' ({layer.type}) needs a 'bottom'", layer.line)
        return [self.values[value] or "" for value in layer.sources]

    def node(self, layer: CaffeLayer) -> str:
        """Return the first node that a layer reads. Raises SpecError if there is none."""
        return self.nodes(layer)[0]

    def shape(self, layer: CaffeLayer) -> Shape:
        """Return the shape of the first node that a layer reads."""
        return self.made.shape(self.node(layer))

    def add(
        self, layer: CaffeLayer, word: str, inputs: Sequence[str] | None = None, **given: Any
    ) -> str:
        """Add an operator for a layer, by default on the first node that it reads."""
        sources = [self.node(layer)] if inputs is None else inputs
        return self.made.add(layer.name, layer.line, word, sources, **given)

    def part(
        self, layer: CaffeLayer, title: str, word: str, inputs: Sequence[str], **given: Any
    ) -> str:
        """Add one of several operators for a layer."""
        return self.made.add(f"{layer.name}_{title}", layer.line, word, inputs, **given)

    def opaque(self, layer: CaffeLayer, each: int | None = 0, **given: Any) -> str:
        """Add a layer without an equivalent operator, with its operations per output value."""
        nodes = [node for node in self.nodes(layer) if node]
        size = given.setdefault("size", self.made.shape(nodes[0]))
        if each is not None:
            given = {"products": 0, "work": each * prod(size), **given}
        return self.made.opaque(layer.name, layer.line, f"caffe.{layer.type}", nodes, **given)

    def axis(self, layer: CaffeLayer, param: Message, name: str = "axis", default: int = 1) -> int:
        """Return an axis of the first node that a layer reads, counted with the batch as 0."""
        rank = len(self.shape(layer)) + 1
        axis = param.integer(name, default)
        if not -rank <= axis < rank:
            raise self.made.error(
                f"'{name}' of '{layer.name}' must lie within {rank} axes, got {axis}", layer.line
            )
        return axis % rank

    def share(self, layer: CaffeLayer, node: str) -> str:
        """Make a layer share the weights of an earlier one that uses the same names."""
        names: list[str] = []
        for value, _ in layer.message.fields.get("param", ()):
            name = value.text("name") if isinstance(value, Message) else value
            names += [str(name)] if name else []
        if not names:
            return node
        made = self.made.builder
        key = "\n".join(names)
        owner = self.weights.setdefault(key, node)
        if owner == node:
            return node
        ours, theirs = made.nodes[node], made.nodes[owner]
        if ours.op.weights_key(*ours.ins) != theirs.op.weights_key(*theirs.ins):
            raise self.made.error(
                f"'{layer.name}' shares weights with '{owner}', whose weights have other shapes",
                layer.line,
            )
        made.share(node, owner)
        return node

    def store(
        self, layer: CaffeLayer, node: str, *names: str, bias: bool = False, form: Form = "plain"
    ) -> str:
        """Record that a node has the numbers of a layer, by name and in the order of the file."""
        given = names or AFFINE[: 1 + bias]
        self.store_each(layer, *((node, name) for name in given), form=form)
        return node

    def store_each(self, layer: CaffeLayer, *names: tuple[str, str], form: Form = "plain") -> None:
        """Record the weights that have the numbers of a layer, by node and name."""
        self.stored.append(Stored(layer.message.text("name", layer.name), names, form))

    def weights_of(self, path: Path) -> CaffeWeights:
        """Return the weights of the nodes so far; `path` is that of the definition."""
        return CaffeWeights(path, tuple(self.stored), dict(self.made.builder.nodes))

    def replace(self, node: str, **given: Any) -> None:
        """Change attributes of an operator that has no readers yet."""
        made = self.made.builder.nodes
        made[node] = structs.replace(made[node], op=structs.replace(made[node].op, **given))
