"""Find the inverted residuals of a network: depthwise convolutions between pointwise ones.

The name is that of Sandler et al. 2018 (MobileNetV2, arXiv:1801.04381); MnasNet and EfficientNet
call them MBConv. The blocks of MobileNetV1 have an expansion of 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import log2

from msgspec import Struct

from archscope.ir import Graph, Node
from archscope.ops.conv import Conv


class InvertedResidual(Struct, frozen=True, gc=False):
    """One unit: expansion, depthwise convolution, gate, projection."""

    reduction: int  # input size of the network over output size: 2, 4, 8 ...
    kernel: int  # side of the depthwise kernel
    entering: int  # channels
    hidden: int
    leaving: int
    gated: bool  # whether squeeze and excitation scale the hidden channels
    macs: int
    params: int
    nodes: tuple[str, ...]  # its convolutions

    @property
    def expansion(self) -> float:
        """The channels of the depthwise convolution over those of the unit's input."""
        return self.hidden / self.entering


def inverted_residuals(graph: Graph) -> tuple[InvertedResidual, ...]:
    """Return the inverted residuals of an image network, in order."""
    return tuple(_Finder(graph).units())


class _Finder:
    def __init__(self, graph: Graph) -> None:
        self.graph, self.readers = graph, graph.readers()
        self.side = max((max(node.out[1:], default=1) for node in graph.inputs), default=1)

    def units(self) -> Iterator[InvertedResidual]:
        ends = [
            (node, *end)
            for node in self.graph.nodes
            if _is_depthwise(node) and (end := self._projection(node)) is not None
        ]
        projections = {projection.name for _, projection, _ in ends}
        for depthwise, projection, gate in ends:
            expansion = self._expansion(depthwise)
            if expansion is not None and expansion.name in projections:
                expansion = None
            parts = [*([expansion] if expansion else ()), depthwise, *gate, projection]
            facts = [self.graph.facts[part.name] for part in parts]
            assert isinstance(depthwise.op, Conv)
            kernel = depthwise.op.kernel
            yield InvertedResidual(
                reduction=2 ** round(log2(self.side / max(projection.out[1:]))),
                kernel=kernel if isinstance(kernel, int) else max(kernel),
                entering=expansion.ins[0][0] if expansion else depthwise.ins[0][0],
                hidden=depthwise.out[0],
                leaving=projection.out[0],
                gated=bool(gate),
                macs=sum(fact.macs for fact in facts),
                params=sum(fact.params for fact in facts),
                nodes=tuple(part.name for part in parts),
            )

    def _expansion(self, depthwise: Node) -> Node | None:
        """Return the pointwise convolution before a depthwise one."""
        node = self.graph.by_name[depthwise.inputs[0]]
        while len(node.inputs) == 1 and not node.op.convolution:
            if node.out != depthwise.ins[0]:
                return None
            node = self.graph.by_name[node.inputs[0]]
        return node if _is_pointwise(node) else None

    def _projection(self, depthwise: Node) -> tuple[Node, list[Node]] | None:
        """Return the pointwise convolution after a depthwise one, and those of the gate between."""
        gate: list[Node] = []
        todo, seen = [depthwise.name], {depthwise.name}
        while todo:
            for reader in self.readers[todo.pop(0)]:
                node = self.graph.by_name[reader]
                if reader in seen:
                    continue
                seen.add(reader)
                if node.out[1:] == depthwise.out[1:]:
                    if _is_pointwise(node):
                        return node, gate
                    if node.op.convolution or node.out[0] != depthwise.out[0]:
                        continue  # not an inverted residual
                elif max(node.out[1:], default=1) > 1:
                    continue
                elif self.graph.facts[reader].params:
                    gate.append(node)
                todo.append(reader)
        return None


def _is_depthwise(node: Node) -> bool:
    return (
        isinstance(node.op, Conv)
        and len(node.out) == 3
        and node.op.groups == node.ins[0][0] == node.out[0] > 1
    )


def _is_pointwise(node: Node) -> bool:
    if not isinstance(node.op, Conv) or node.op.groups != 1 or len(node.out) != 3:
        return False
    return all(window.kernel == 1 and window.stride == 1 for window in node.op.window(*node.ins))
