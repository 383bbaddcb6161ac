"""Build a graph node by node: the output shape of each follows from its inputs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import structs

from archscope.errors import ShapeError
from archscope.ir import Graph, Node, Op, Source, text_of


class GraphBuilder:
    """Collects nodes in order, and infers each output shape from the input shapes."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}

    def add(
        self,
        name: str,
        op: Op,
        inputs: Iterable[str] = (),
        shares: str | None = None,
        at: Source | None = None,
    ) -> str:
        """Add a node and return its name. Raises ShapeError if it does not accept the inputs."""
        inputs = tuple(inputs)
        least, most = op.arity
        if len(inputs) < least or (most is not None and len(inputs) > most):
            wanted = str(least) if least == most else f"at least {least}"
            raise ShapeError(f"'{op.name}' takes {wanted} input(s), got {len(inputs)}")
        ins = tuple(self.nodes[source].out for source in inputs)
        try:
            out = op.shape(*ins)
        except IndexError:
            if () not in ins:
                raise
            raise ShapeError(
                f"'{op.name}' needs an input with at least one axis, got a scalar"
            ) from None
        if min(out, default=1) < 1:
            taken = " and ".join(map(text_of, ins))
            raise ShapeError(f"'{op.name}' leaves nothing of {taken}: it would give {text_of(out)}")
        self.nodes[name] = Node(name, op, inputs, ins, out, shares, at)
        return name

    def share(self, name: str, owner: str) -> None:
        """Make a node share the weights of an earlier one."""
        self.nodes[name] = structs.replace(self.nodes[name], shares=owner)

    def count(
        self, name: str, params: int | None, weight_bytes: int | None = None,
        weight_macs: int = 0, weight_bits: int | None = None,
    ) -> None:  # fmt: skip
        """Override what counts at a node: the attributes of `Node`, `params` as `new_params`."""
        self.nodes[name] = structs.replace(
            self.nodes[name], new_params=params, weight_bytes=weight_bytes,
            weight_macs=weight_macs, weight_bits=weight_bits,
        )  # fmt: skip

    def again(self, node: Node, op: Op, inputs: Iterable[str]) -> None:
        """Add a node of another graph, with another operator or inputs. Raises ShapeError."""
        self.add(node.name, op, inputs, node.shares, node.at)
        same = self.nodes[node.name].facts.params == node.facts.params
        weight_bytes = node.weight_bytes if same else None
        self.count(node.name, node.new_params, weight_bytes, node.weight_macs, node.weight_bits)

    def changed(self, graph: Graph, **changes: Any) -> Graph:
        """Return a graph with these nodes, and without the numbers published for its own."""
        nodes = tuple(self.nodes.values())
        return structs.replace(graph, nodes=nodes, reference=(), **changes)
