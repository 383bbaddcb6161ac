"""Operators on several inputs: channels at the same index go together."""

from __future__ import annotations

from msgspec import structs

from archscope.compress.channels import Flow, Tracker
from archscope.compress.operators.dispatch import (
    Counter,
    Ins,
    flow,
    narrowed,
    needs_all,
    position_by_position,
)
from archscope.ir import Node, Op
from archscope.ops.arithmetic import Pair
from archscope.ops.grid_sample import GridSample
from archscope.ops.index_select import ConcatLearned
from archscope.ops.mask import Where
from archscope.ops.masked_fill import MaskedFill
from archscope.ops.merge import Add, Concat, Distance, Mul
from archscope.ops.product import MatMul
from archscope.ops.stack import SliceScatter, Stack

for _kind in (Add, Mul, Pair, Where, MaskedFill):
    flow.register(_kind, position_by_position)


@flow.register
def _(op: Concat, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    if op.axis:
        return position_by_position(op, node, ins, tracker)
    return Flow(ins, tuple(atom for channels in ins for atom in channels))


@flow.register
def _(op: ConcatLearned, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    if op.axis:
        return Flow(ins, ins[0], {"weight": (ins[0],)})
    own = tracker.new(op.size[0])
    tracker.fix(own[:1], f"'{node.name}' (concat_learned) keeps a channel")
    out = (*own, *ins[0]) if op.before else (*ins[0], *own)
    return Flow(ins, out, {"weight": (own,)})


@narrowed.register
def _(op: ConcatLearned, flow: Flow, kept: Counter) -> Op:
    (channels,) = flow.weights["weight"]
    assert channels is not None
    return structs.replace(op, size=(kept(channels), *op.size[1:]))


@flow.register
def _(op: Distance, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    tracker.unite(*ins)
    out = tracker.new(1)
    tracker.fix(out, f"'{node.name}' (distance) is one number")
    return Flow(ins, out)


@flow.register(Stack)
@flow.register(SliceScatter)
def _(op: Stack | SliceScatter, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    if op.axis == 0:
        return needs_all(node, ins, tracker)
    return position_by_position(op, node, ins, tracker)


@flow.register
def _(op: GridSample, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    tracker.fix(ins[1], f"'{node.name}' (grid_sample) reads coordinates")
    return Flow(ins, ins[0])


@flow.register
def _(op: MatMul, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    if len(node.out) > 2:  # a product for each channel
        return position_by_position(op, node, ins, tracker)
    tracker.fix(ins[1], f"'{node.name}' (matmul) adds up its channels")
    return Flow(ins, ins[0])
