"""Small networks written down in a test."""

from __future__ import annotations

from typing import Any

from archscope.graph_builder import GraphBuilder
from archscope.ir import Graph, Output, Shape
from archscope.ops import OPS


class Net:
    """`net = Net(x=(3, 8, 8)); y = net("conv", "x", out=4); net.graph()`."""

    def __init__(self, **inputs: Shape) -> None:
        self.builder = GraphBuilder()
        for name, shape in inputs.items():
            self.builder.add(name, OPS["input"](size=shape))

    def __call__(
        self, op: str, *sources: str, name: str = "", shares: str | None = None, **attributes: Any
    ) -> str:
        """Add a node, called after its operator unless a name is given; return the name."""
        name = name or f"{op}{len(self.builder.nodes)}"
        return self.builder.add(name, OPS[op](**attributes), sources, shares)

    def graph(self, *outputs: Output | str) -> Graph:
        """Return the graph; its output is the last node unless others are named."""
        nodes = tuple(self.builder.nodes.values())
        heads = [
            Output(output, output) if isinstance(output, str) else output for output in outputs
        ]
        return Graph("net", nodes, tuple(heads) or (Output("output", nodes[-1].name),))


def chain(*layers: tuple[str, dict[str, Any]], x: Shape) -> Graph:
    """Return a network of layers in a row: `chain(("conv", {"out": 4}), x=(3, 8, 8))`."""
    net = Net(x=x)
    last = "x"
    for op, attributes in layers:
        last = net(op, last, **attributes)
    return net.graph()
