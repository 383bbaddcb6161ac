"""Operators on several inputs: channels at the same index go together."""

from __future__ import annotations

from msgspec import structs

from archscope.compress.channels import Flow, Tracker
from archscope.compress.operators.dispatch import (
    Counter,
    Ins,
    flow,
    narrowed,
)
from archscope.ir import Node, Op
from archscope.ops.grid_sample import GridSample
from archscope.ops.index_select import ConcatLearned
from archscope.ops.merge import Distance


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


@flow.register
def _(op: GridSample, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    tracker.fix(ins[1], f"'{node.name}' (grid_sample) reads coordinates")
    return Flow(ins, ins[0])
