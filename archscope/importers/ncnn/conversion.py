"""Collects the nodes of ncnn layers by blob, and notes on blobs without a node.

A blob with three axes is (channels, height, width), like ours; with two axes it is (height, width),
where height takes the place of our channels, as in ncnn's own numbering of axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import Any

from archscope.importers.file_graph import FileGraph
from archscope.importers.ncnn.param_file import ParamLayer
from archscope.ir import Shape

ASIDE = ""
"""Marks blobs that are not feature maps: boxes that depend only on sizes."""

REST = -233
"""The number that ncnn writes for a missing size."""


class Conversion:
    """The graph under construction, and the node of each blob.

    A blob has no node if it is `ASIDE`, or None if its shape is not known.
    """

    def __init__(self, path: Path, layers: Sequence[ParamLayer]) -> None:
        self.made = FileGraph(path, [layer.name for layer in layers])
        self.values: dict[str, str | None] = {}
        self.constants: dict[str, Shape] = {}  # learned blobs, which are not nodes
        self.uncounted: set[str] = set()  # those that no layer counts yet

    def nodes(self, layer: ParamLayer) -> list[str]:
        """Return the nodes that a layer reads; there is at least one."""
        found = [self.values[blob] or "" for blob in layer.bottoms if blob not in self.constants]
        if not found:
            raise self.made.error(f"'{layer.name[:60]}' ({layer.kind}) has no input", layer.line)
        return found

    def node(self, layer: ParamLayer) -> str:
        """Return the first node that a layer reads."""
        return self.nodes(layer)[0]

    def shape(self, layer: ParamLayer) -> Shape:
        """Return the shape of the first node that a layer reads."""
        return self.made.shape(self.node(layer))

    def add(
        self, layer: ParamLayer, word: str, inputs: Sequence[str] | None = None, **given: Any
    ) -> str:
        """Add an operator for a layer, by default on the first node that it reads."""
        sources = [self.node(layer)] if inputs is None else inputs
        return self.made.add(layer.name, layer.line, word, sources, **given)

    def part(
        self, layer: ParamLayer, title: str, word: str, inputs: Sequence[str], **given: Any
    ) -> str:
        """Add one of several operators for a layer."""
        return self.made.add(f"{layer.name}_{title}", layer.line, word, inputs, **given)

    def opaque(self, layer: ParamLayer, each: int | None = 0, **given: Any) -> str:
        """Add a layer without an equivalent operator, with its operations per output value."""
        nodes = self.nodes(layer)
        stated = layer.shapes()
        size = given.setdefault("size", stated[0] if stated else self.made.shape(nodes[0]))
        if each is not None:
            given = {"products": 0, "work": each * prod(size), **given}
        learned = self.uncounted.intersection(layer.bottoms)
        self.uncounted -= learned
        numbers = sum(prod(self.constants[blob]) for blob in learned)
        given["learned"] = given.get("learned", 0) + numbers
        return self.made.opaque(layer.name, layer.line, f"ncnn.{layer.kind}", nodes, **given)

    def axis(self, layer: ParamLayer, number: int, default: int = 0) -> int:
        """Return an axis of the first node that a layer reads."""
        rank = len(self.shape(layer))
        axis = layer.integer(number, default)
        if not -rank <= axis < rank:
            raise self.made.error(
                f"the axis of '{layer.name[:60]}' must lie within {rank} axes, got {axis}",
                layer.line,
            )
        return axis % rank

    def check_weights(self, layer: ParamLayer, node: str, stated: int) -> None:
        """Check the number of weights that a file states. Raises SpecError."""
        made = self.made.builder.nodes[node]
        found = made.facts.params - made.facts.biases
        if stated and found != stated:
            raise self.made.error(
                f"'{layer.name[:60]}' has {found} weights by its sizes, the file states {stated}",
                layer.line,
            )

    def quantised(self, node: str) -> None:
        """Record that a layer holds its weights in int8 and its bias in int32."""
        made = self.made.builder.nodes[node]
        params, biases = made.facts.params, made.facts.biases
        self.made.builder.count(node, None, params - biases + 4 * biases)
