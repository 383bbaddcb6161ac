"""Shared by formats that list layers: the nodes that form a layer, refusals, and reading back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NoReturn

from archscope.errors import GraphError
from archscope.importers.formats import Imported
from archscope.ir import Graph, Node, Op

WEIGHT_NORM = "its layers hold weights, not their directions and lengths"
"""Why layers with weight norm cannot be expressed."""


class LayerGraph:
    """The part of a network used at inference, and the readers of each node."""

    def __init__(self, graph: Graph, framework: str) -> None:
        self.graph, self.framework = graph.inference(), framework
        names = self.graph.readers()
        self.readers = {
            name: [self.graph.by_name[reader] for reader in readers]
            for name, readers in names.items()
        }
        self.outputs = {output.node: output.name for output in self.graph.outputs}

    def refuse(self, node: Node, why: str) -> NoReturn:
        """Raise the GraphError for a node that the format cannot express."""
        raise GraphError(f"{self.framework} cannot express '{node.name}' ({node.op.label}): {why}")

    def only_reader(self, node: Node, *kinds: type[Op]) -> Node | None:
        """Return the only reader of a node, if its operator is of one of these kinds."""
        readers = self.readers[node.name]
        if len(readers) != 1 or node.name in self.outputs or len(readers[0].inputs) != 1:
            return None
        return readers[0] if isinstance(readers[0].op, kinds) else None

    def check_outputs(self) -> None:
        """Raise GraphError for an output that other layers read, which no such file can express."""
        for name in self.outputs:
            if self.readers[name]:
                self.refuse(
                    self.graph.by_name[name],
                    "an output of the network cannot be the input of another layer",
                )


def read_back(content: bytes, importer: Callable[[Path], Imported], name: str) -> Imported:
    """Import content as if it were a file with that name."""
    with TemporaryDirectory() as where:
        path = Path(where) / name
        path.write_bytes(content)
        return importer(path)
