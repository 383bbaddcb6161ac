"""Join the products and the softmax of attention, as files write it, into attention."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from math import isclose
from typing import Any

from msgspec import Struct, structs

from archscope.graph_builder import GraphBuilder
from archscope.ir import Graph, Node, Op
from archscope.module_names import free_name
from archscope.ops.activation import Softmax
from archscope.ops.facts import View
from archscope.ops.layout import Permute
from archscope.ops.learned import Learned
from archscope.ops.product import MatMul, ScaledDotProductAttention
from archscope.ops.scale import DivScalar, MulScalar

MOST_MOVES = 16
"""The longest chain of moves in which factors are looked for."""


class _Operand(Struct, frozen=True):
    """A value before it is scaled: moves of the result of a node."""

    base: str
    moves: tuple[Node, ...] = ()
    factor: float = 1.0


class _Found(Struct, frozen=True):
    """The parts of attention; `absorbed` are the nodes that it takes the place of."""

    operands: tuple[_Operand, _Operand, _Operand]
    op: ScaledDotProductAttention
    mask: Node | None
    absorbed: tuple[str, ...]


def join_attention(graph: Graph, *, masks: bool = True) -> tuple[Graph, dict[str, str]]:
    """Return the graph with `softmax(factor * q @ k + mask) @ v` as one operator, where it is that.

    Results and macs are equal. Scores and their softmax, which nothing else may read, are values of
    the graph no longer: torch's attention does not keep them in memory. The second result has the
    new name of each mask's weight; without `masks`, attention that has one stays as it is.
    """
    joined = _Joined(graph)
    found = joined.attentions(masks)
    if not found:
        return graph, {}
    absorbed = {name for match in found.values() for name in match.absorbed}
    for node in graph.nodes:
        if node.name in found:
            joined.add(node, found[node.name])
        elif node.name not in absorbed:
            joined.builder.again(node, node.op, node.inputs)
    nodes = _needed(graph, joined.builder.nodes)
    return structs.replace(graph, nodes=nodes), {
        f"{mask}.weight": f"{name}.mask" for mask, name in joined.masked.items()
    }


def renamed(
    weights: Callable[[], Mapping[str, Any]], names: Mapping[str, str]
) -> Callable[[], Mapping[str, Any]]:
    """Return a function that returns the same weights, some by new names."""
    return lambda: {names.get(name, name): array for name, array in weights().items()}


class _Joined:
    """Finds attention in a graph, and adds the nodes of the graph that has it."""

    def __init__(self, graph: Graph) -> None:
        self.nodes = graph.by_name
        self.builder = GraphBuilder()
        self.taken = set(self.nodes)
        self.readers = Counter(name for node in graph.nodes for name in node.inputs)
        self.readers.update(output.node for output in graph.outputs)
        self.sharing = [node for node in graph.nodes if node.shares is not None]
        self.masked: dict[str, str] = {}  # the attention of each mask

    def attentions(self, masks: bool) -> dict[str, _Found]:
        """Return the attention that each of some nodes is the result of.

        A mask becomes part of attention only with those that share its numbers.
        """
        found = {name: match for name, node in self.nodes.items() if (match := self.match(node))}
        found = {name: match for name, match in found.items() if masks or match.mask is None}
        while True:
            ops = {match.mask.name: match.op for match in found.values() if match.mask}
            apart = {
                name
                for node in self.sharing
                if ops.get(node.name) != ops.get(node.shares or "")
                for name in (node.name, node.shares)
            }
            if not apart & ops.keys():
                self.masked = {m.mask.name: name for name, m in found.items() if m.mask}
                return found
            found = {n: m for n, m in found.items() if not (m.mask and m.mask.name in apart)}

    def match(self, node: Node) -> _Found | None:
        """Return the attention whose result a node is, None if it is something else."""
        if not isinstance(node.op, MatMul):
            return None
        weights = self._only(node.inputs[0], Softmax)
        if weights is None or getattr(weights.op, "axis", 0) != len(weights.out) - 1:
            return None
        absorbed, factor, mask = [weights.name], 1.0, None
        scores = self.nodes[weights.inputs[0]]
        while not isinstance(scores.op, MatMul):
            if self.readers[scores.name] > 1:
                return None
            if isinstance(scores.op, MulScalar | DivScalar):
                factor *= scores.op.factor
            elif factor == 1 and mask is None and self._is_mask(scores):
                mask = scores
            else:
                return None
            absorbed.append(scores.name)
            scores = self.nodes[scores.inputs[0]]
        if self.readers[scores.name] > 1:
            return None
        q, k = map(self._unscaled, scores.inputs)
        v = _Operand(node.inputs[1])
        factor *= q.factor * k.factor
        usual = isclose(factor, scores.ins[0][-1] ** -0.5, rel_tol=1e-6)
        op = ScaledDotProductAttention(
            scale=None if usual else factor,
            mask=getattr(mask.op, "size", None) if mask else None,
            fixed=bool(mask and getattr(mask.op, "fixed", False)),
        )
        return _Found((q, k, v), op, mask, (*absorbed, scores.name))

    def add(self, node: Node, found: _Found) -> None:
        """Add attention in the place of the product that ends it."""
        q, k, v = map(self._again, found.operands)
        rank = len(self.builder.nodes[k].out)
        order = (*range(rank - 2), rank - 1, rank - 2)
        k = self._moved(node, Permute(order=order), k)
        self.builder.add(node.name, found.op, (q, k, v), at=node.at)
        if found.mask is not None:
            mask = found.mask
            if mask.shares is not None:
                self.builder.share(node.name, self.masked[mask.shares])
            self.builder.count(
                node.name, mask.new_params, mask.weight_bytes, mask.weight_macs, mask.weight_bits
            )

    def _only(self, name: str, kind: type[Op]) -> Node | None:
        """Return a node of a kind that is read once, None for others."""
        node = self.nodes[name]
        return node if isinstance(node.op, kind) and self.readers[name] == 1 else None

    def _is_mask(self, node: Node) -> bool:
        """Return whether a node adds a tensor of its own to scores, and does not broadcast them."""
        op = node.op
        adds = isinstance(op, Learned) and op.function == "add"
        return adds and node.out == node.ins[0]

    def _unscaled(self, name: str) -> _Operand:
        """Return a value without the factors that it was multiplied by, before or behind moves."""
        found = _Operand(name)
        moves: tuple[Node, ...] = ()
        factor = 1.0
        while len(moves) < MOST_MOVES:
            node = self.nodes[name]
            if isinstance(node.op, MulScalar | DivScalar):
                factor *= node.op.factor
                found = _Operand(node.inputs[0], moves, factor)
            elif isinstance(node.op, View) and len(node.inputs) == 1:
                moves = (node, *moves)
            else:
                break
            name = node.inputs[0]
        return found

    def _again(self, operand: _Operand) -> str:
        """Add the moves of an operand to the value that it starts from, and return the last."""
        name = operand.base
        for move in operand.moves:
            name = self._moved(move, move.op, name)
        return name

    def _moved(self, beside: Node, op: Op, source: str) -> str:
        """Add an operator on a value, named after the node that it stands beside."""
        name = free_name(f"{beside.scope}.{op.name}".lstrip("."), self.taken)
        return self.builder.add(name, op, (source,), at=beside.at)


def _needed(graph: Graph, nodes: Mapping[str, Node]) -> tuple[Node, ...]:
    """Return the inputs, and the nodes that outputs read or share their weights with."""
    wanted = {output.node for output in graph.outputs}
    for node in reversed([*nodes.values()]):
        if node.name in wanted:
            wanted.update(node.inputs)
            if node.shares is not None:
                wanted.add(node.shares)
    return tuple(node for node in nodes.values() if node.name in wanted or not node.inputs)
