"""Shorten chains of permutations, reshapes and slices, and find attention among them.

Code for transformers moves axes to where a product wants them, and back: heads before positions,
channels behind. What a chain of moves selects is a strided view of the tensor that it starts from,
so moves that cancel are left out, element-wise operators are applied before moves rather than
behind them, and attention whose queries, keys and values are heads of the channels is
`dot_product_attention`.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isclose, prod

from msgspec import Struct, structs

from archscope.graph_builder import GraphBuilder
from archscope.ir import Graph, Node, Op, Output, Shape, Source
from archscope.module_names import free_name
from archscope.ops.arithmetic import Pair
from archscope.ops.attention import DotProductAttention
from archscope.ops.dropout import Dropout
from archscope.ops.facts import View, Weightless
from archscope.ops.input import Input
from archscope.ops.layout import Permute, Select
from archscope.ops.merge import Add, Mul
from archscope.ops.product import ScaledDotProductAttention
from archscope.ops.reshape import Flatten, Reshape
from archscope.transforms.strided_view import StridedView

WORTHWHILE = 0.95
"""The share of nodes that may remain: for a few moves, a graph does not lose its regularity."""

MOST_MOVES = 16
"""The longest chain; a longer one is divided, so that files with many moves take no longer."""

TURN = Permute(order=(0, 2, 1))


def shorten_moves(graph: Graph) -> Graph:
    """Return the graph with fewer permutations, reshapes and slices; itself if they are as few.

    Results are equal, and nodes with weights keep their names.
    """
    shorter = _ShorterGraph(graph)
    for node in graph.nodes:
        shorter.add(node)
    outputs = shorter.outputs()
    nodes = tuple(shorter.builder.nodes.values())
    if outputs is None or len(nodes) > WORTHWHILE * len(graph.nodes):
        return graph
    return structs.replace(graph, nodes=nodes, outputs=outputs)


def is_elementwise(op: Op, *ins: Shape) -> bool:
    """Return whether an operator does the same to each element, wherever it is."""
    if isinstance(op, Add | Mul | Pair):
        return all(shape == ins[0] for shape in ins)
    alone = isinstance(op, Weightless) and op.valuewise and len(ins) == 1
    by_channel = op.params(*ins) > 0 or (isinstance(op, Dropout) and op.channels)
    return alone and not by_channel


class _Move(Struct, frozen=True):
    """A move, with the name of its node if it is one of the graph's."""

    scope: str
    op: Op
    at: Source | None
    name: str = ""


class _Value(Struct, frozen=True):
    """A view of the result of a node, and the moves that lead to it."""

    base: str
    view: StridedView
    moves: tuple[_Move, ...] = ()


class _ShorterGraph:
    """Adds the nodes of a graph, but a move only where what it selects is read."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.builder = GraphBuilder()
        self.taken = set(graph.by_name)
        self.values: dict[str, _Value] = {}
        self.made: dict[tuple[str, StridedView], str] = {}  # the node of each view that is read

    def add(self, node: Node) -> None:
        """Add a node, or keep it as a view of another."""
        values = [self.values[name] for name in node.inputs]
        value = (
            self._move(node, values)
            or self._elementwise(node, values)
            or self._attention(node, values)
        )
        if value is None:
            self.builder.again(node, node.op, map(self._node_of, values))
            value = self._value(node.name)
        self.values[node.name] = value

    def outputs(self) -> tuple[Output, ...] | None:
        """Return the outputs; None if two would be the same node, or a node an input."""
        nodes = [self._node_of(self.values[output.node]) for output in self.graph.outputs]
        if len({*nodes}) < len(nodes) or any(
            isinstance(self.builder.nodes[node].op, Input) for node in nodes
        ):
            return None
        return tuple(
            structs.replace(output, node=node)
            for output, node in zip(self.graph.outputs, nodes, strict=True)
        )

    def _views(self, base: str, moves: Sequence[_Move]) -> list[StridedView | None]:
        """Return the view of a node's result before moves and behind each; None behind a copy."""
        views: list[StridedView | None] = [StridedView.whole(self.builder.nodes[base].out)]
        for move in moves:
            view = views[-1]
            views.append(None if view is None else view.moved(move.op))
        return views

    def _value(self, base: str, moves: Sequence[_Move] = ()) -> _Value:
        """Return what moves select of the result of a node; they are not copies."""
        view = self._views(base, moves)[-1]
        assert view is not None
        return _Value(base, view, tuple(moves))

    def _move(self, node: Node, values: Sequence[_Value]) -> _Value | None:
        """Return the value behind a move; None for other operators."""
        if not isinstance(node.op, View) or len(values) != 1:
            return None
        (value,) = values
        moves = _joined(value.moves, _Move(node.scope, node.op, node.at, node.name))
        if len(moves) > MOST_MOVES:
            return None
        views = self._views(value.base, moves)
        if views[-1] is None:
            return None
        count = views.index(views[-1])  # of the moves that lead there first
        return _Value(value.base, views[-1], moves[:count])

    def _elementwise(self, node: Node, values: Sequence[_Value]) -> _Value | None:
        """Add an element-wise operator to what its inputs are the same view of, if they are."""
        if not values or not is_elementwise(node.op, *node.ins):
            return None
        nearest = min(values, key=lambda value: len(value.moves))
        shape = self.builder.nodes[nearest.base].out
        if not nearest.moves or any(value.view != nearest.view for value in values):
            return None
        if not all(value.view.covers(self.builder.nodes[value.base].out) for value in values):
            return None
        bases = [self._shaped(value.base, shape, node) for value in values]
        self.builder.again(node, node.op, bases)
        return structs.replace(nearest, base=node.name)

    def _shaped(self, base: str, shape: Shape, beside: Node) -> str:
        """Return a node with the numbers of another in a shape of as many."""
        moves = StridedView.whole(shape).moves_from(self.builder.nodes[base].out) or []
        steps = [_Move(beside.scope, move, beside.at) for move in moves]
        return self._node_of(self._value(base, steps))

    def _attention(self, node: Node, values: Sequence[_Value]) -> _Value | None:
        """Add attention to the channels that its heads are views of, if they are."""
        op = node.op
        if not isinstance(op, ScaledDotProductAttention) or len(node.out) != 3:
            return None
        heads, positions, width = node.out
        bases = None if op.mask else self._bases_of_heads(values)
        if bases is None:
            return None
        usual = op.scale is None or isclose(op.scale, values[0].view.sizes[2] ** -0.5, rel_tol=1e-6)
        scale = None if usual else op.scale
        found = DotProductAttention(heads=heads, causal=op.causal, scale=scale)
        name = self.builder.add(self._free(node.scope, found), found, bases, at=node.at)
        back = (Reshape(size=(heads, width, positions)), TURN)
        return self._value(name, [_Move(node.scope, move, node.at) for move in back])

    def _bases_of_heads(self, values: Sequence[_Value]) -> tuple[str, ...] | None:
        """Return the node with queries, keys and values along its channels, or the three; or None.

        The values are views (heads, positions, width).
        """
        bases = tuple(value.base for value in values)
        channels = []
        for value in values:
            heads, positions, width = value.view.sizes
            usual = StridedView.whole((heads, width, positions)).moved(TURN)
            out = self.builder.nodes[value.base].out
            if usual is None or value.view.axes != usual.axes or prod(out[1:]) != positions:
                return None
            channels.append(heads * width)
        outs = [self.builder.nodes[base].out for base in bases]
        if min(map(len, outs)) < 2:
            return None
        starts = [
            value.view.offset // prod(out[1:]) for value, out in zip(values, outs, strict=True)
        ]
        if len({*bases}) == 1 and outs[0][0] == sum(channels):
            return bases[:1] if starts == [0, channels[0], 2 * channels[0]] else None
        whole = not any(starts) and channels == [out[0] for out in outs]
        return bases if whole else None

    def _node_of(self, value: _Value) -> str:
        """Return the node of a value, having added the moves that lead to it."""
        out = self.builder.nodes[value.base].out
        if value.view == StridedView.whole(out):
            return value.base
        key = (value.base, value.view)
        if key not in self.made:
            *first, last = self._fewest(value)
            source = self._node_of(self._value(value.base, first))
            free = last.name and last.name not in self.builder.nodes
            name = last.name if free else self._free(last.scope, last.op)
            self.made[key] = self.builder.add(name, last.op, (source,), at=last.at)
        return self.made[key]

    def _fewest(self, value: _Value) -> Sequence[_Move]:
        """Return the moves that lead to a value, or fewer that do."""
        moves = value.moves
        ops = value.view.moves_from(self.builder.nodes[value.base].out)
        if ops is None or len(ops) >= len(moves):
            return moves
        names = {type(move.op): move.name for move in reversed(moves)}
        return [_Move(moves[-1].scope, op, moves[-1].at, names.get(type(op), "")) for op in ops]

    def _free(self, scope: str, op: Op) -> str:
        return free_name(f"{scope}.{op.name}".lstrip("."), self.taken)


def _joined(moves: Sequence[_Move], move: _Move) -> tuple[_Move, ...]:
    """Return moves and one more.

    Two permutations or two reshapes in a row are one, and a selection comes before a permutation.
    """
    last = moves[-1].op if moves else None
    if isinstance(last, Permute) and isinstance(move.op, Permute):
        order = tuple(last.order[axis] for axis in move.op.order)
        return (*moves[:-1], structs.replace(move, op=Permute(order=order)))
    if isinstance(last, Permute) and isinstance(move.op, Select):
        axis = last.order[move.op.axis]
        rest = tuple(other - (other > axis) for other in last.order if other != axis)
        selected = structs.replace(move, op=structs.replace(move.op, axis=axis))
        turned = (
            () if [*rest] == sorted(rest) else (structs.replace(moves[-1], op=Permute(order=rest)),)
        )
        return (*moves[:-1], selected, *turned)
    if isinstance(last, Reshape | Flatten) and isinstance(move.op, Reshape | Flatten):
        return (*moves[:-1], move)
    return (*moves, move)
