"""Operators that move channels to other indices, or add some."""

from __future__ import annotations

from msgspec import structs

from archscope.compress.channels import Flow, Tracker
from archscope.compress.operators.dispatch import (
    Counter,
    Ins,
    flow,
    joined,
    narrowed,
    needs_all,
    repeated,
    separates_positions,
)
from archscope.ir import Node, Op
from archscope.ops.fill import Fill
from archscope.ops.gather import OneHot
from archscope.ops.geometry import taps
from archscope.ops.pad import Pad
from archscope.ops.rearrange import ChannelShuffle, PixelShuffle, SpaceToDepth
from archscope.ops.reshape import Identity
from archscope.ops.stack import SliceScatter
from archscope.ops.unfold import Fold, Unfold

separates_positions(ChannelShuffle, Pad)


@flow.register
def _(op: Pad, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    if not any(op.channels):
        return Flow(ins, ins[0])
    before, after = map(tracker.new, op.channels)
    return Flow(ins, (*before, *ins[0], *after))


@narrowed.register
def _(op: Pad, flow: Flow, kept: Counter) -> Op:
    if not any(op.channels):
        return op
    before, after = op.channels
    left = kept(flow.out[:before]), kept(flow.out[len(flow.out) - after :])
    return structs.replace(op, channels=left) if any(left) or op.padding else Identity()


@flow.register
def _(op: Fill, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    return Flow(ins, ins[0]) if op.axis else needs_all(node, ins, tracker)


@flow.register
def _(op: SliceScatter, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    if op.axis == 0:
        return needs_all(node, ins, tracker)
    tracker.unite(*ins)
    return Flow(ins, ins[0])


@flow.register
def _(op: ChannelShuffle, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    (x,) = ins
    size = len(x) // op.groups
    tracker.tie_places(x, size)
    return Flow(ins, tuple(x[k * size + j] for j in range(size) for k in range(op.groups)))


# Channels spread over positions, and gathered from them


@flow.register
def _(op: SpaceToDepth, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    if op.order != "channel":
        return Flow(ins, ins[0] * op.block**2)
    return Flow(ins, repeated(ins[0], op.block**2))


@flow.register
def _(op: PixelShuffle, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    return Flow(ins, joined(ins[0], op.block**2, tracker))


@flow.register
def _(op: Unfold, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    return Flow(ins, repeated(ins[0], taps(op.window(*node.ins))))


@flow.register
def _(op: Fold, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    return Flow(ins, joined(ins[0], taps(op.windows()), tracker))


@flow.register
def _(op: OneHot, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    return Flow(ins, ins[0])
