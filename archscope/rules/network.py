"""The network that rules inspect: its graph, its document and cached analyses."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from archscope.analysis.cost import costs
from archscope.analysis.receptive_field import ReceptiveFields, receptive_fields
from archscope.ir import Graph, Node, Source
from archscope.language.document import Document
from archscope.rules.kinds import transparent


class Network:
    """A graph under inspection, with cached analyses."""

    def __init__(self, graph: Graph, document: Document | None = None, batch: int = 1) -> None:
        """Take a graph, its document if it was read from a spec, and the batch size."""
        self.full = graph
        self.graph = graph.inference()
        self.document = document
        self.batch = batch
        self.home = {document.file, document.body.at.file} if document else set()

    @cached_property
    def readers(self) -> dict[str, list[str]]:
        """The names of the nodes that read each node."""
        return self.graph.readers()

    @cached_property
    def outputs(self) -> set[str]:
        """The names of the nodes whose values leave the network."""
        return {output.node for output in self.graph.outputs}

    @cached_property
    def fields(self) -> ReceptiveFields:
        """The receptive fields of the first input."""
        return receptive_fields(self.graph)

    @cached_property
    def macs(self) -> int:
        """The macs of inference for one image."""
        return sum(facts.macs for facts in self.graph.facts.values())

    @cached_property
    def access(self) -> dict[str, int]:
        """The elements that each node reads and writes per batch; weights are read once."""
        return {name: cost.memory_access for name, cost in costs(self.graph, self.batch).items()}

    @cached_property
    def conv_like(self) -> list[Node]:
        """The nodes that have macs and weights, in order."""
        return [node for node in self.graph.nodes if node.facts.macs and node.facts.params]

    def place(self, node: Node | None) -> Source | None:
        """Return the location for a finding about a node: the nearest place in the spec itself.

        For an operator in a block of another file, this is where the spec uses the block; for the
        whole network (None), where its layers begin.
        """
        if node is None:
            return self.document.body.at if self.document else None
        return next((at for at in self.graph.trail(node) if at.file in self.home), node.at)

    def before(self, node: Node, through: Callable[[Node], bool] = transparent) -> Node:
        """Return the node that feeds a node of one input, skipping nodes that satisfy `through`."""
        found = self.graph.by_name[node.inputs[0]]
        while found.inputs and through(found):
            found = self.graph.by_name[found.inputs[0]]
        return found

    def only_reader(self, node: Node) -> Node | None:
        """Return the only reader of a node; None if it has several or is an output."""
        names = self.readers[node.name]
        if len(names) != 1 or node.name in self.outputs:
            return None
        return self.graph.by_name[names[0]]
