"""Operators that move channels to other indices, add some, or select among them."""

from __future__ import annotations

from itertools import accumulate
from math import prod

from msgspec import structs

from archscope.compress.channels import Channels, Flow, Tracker
from archscope.compress.operators.dispatch import (
    Counter,
    Ins,
    flow,
    joined,
    narrowed,
    needs_all,
    repeated,
)
from archscope.ir import Node, Op
from archscope.ops.fill import Fill
from archscope.ops.gather import OneHot
from archscope.ops.geometry import taps
from archscope.ops.index_select import IndexSelect
from archscope.ops.layout import Permute, Select
from archscope.ops.pad import Pad
from archscope.ops.rearrange import ChannelShuffle, PixelShuffle, SpaceToDepth
from archscope.ops.repeat import Expand, Tile
from archscope.ops.reshape import Flatten, Identity, Reshape, Slice
from archscope.ops.shift import Flip, Roll
from archscope.ops.unfold import Fold, Unfold

# Ranges and selections


@flow.register
def _(op: Slice, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    return Flow(ins, ins[0] if op.axis else ins[0][op.start : op.stop : op.step])


@narrowed.register
def _(op: Slice, flow: Flow, kept: Counter) -> Op:
    (x,) = flow.ins
    if op.axis:
        return op
    if op.step > 1:  # those that are left need not have equal distances
        places = range(len(x))[op.start : op.stop : op.step]
        return op if kept(x) == len(x) else _selected(tuple(places), x, kept)
    start = kept(x[: op.start])
    return structs.replace(op, start=start, stop=start + kept(flow.out))


def _selected(index: tuple[int, ...], x: Channels, kept: Counter) -> IndexSelect:
    """Return the selection of the same channels of an input without some."""
    here = [kept((atom,)) for atom in x]
    places = [*accumulate(here, initial=0)]
    return IndexSelect(index=tuple(places[at] for at in index if here[at]))


@flow.register
def _(op: IndexSelect, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    return Flow(ins, ins[0] if op.axis else tuple(ins[0][at] for at in op.index))


@narrowed.register
def _(op: IndexSelect, flow: Flow, kept: Counter) -> Op:
    return op if op.axis else _selected(op.index, flow.ins[0], kept)


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


@flow.register(Select)
@flow.register(Fill)
def _(op: Select | Fill, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    return Flow(ins, ins[0]) if op.axis else needs_all(node, ins, tracker)


# Other orders


@flow.register
def _(op: Permute, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    return needs_all(node, ins, tracker) if op.order[0] else Flow(ins, ins[0])


@flow.register
def _(op: Flip, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    return Flow(ins, ins[0][::-1] if 0 in op.axes else ins[0])


@flow.register
def _(op: Roll, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    return needs_all(node, ins, tracker) if 0 in op.axes else Flow(ins, ins[0])


@flow.register
def _(op: ChannelShuffle, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    (x,) = ins
    size = len(x) // op.groups
    tracker.tie_places(x, size)
    return Flow(ins, tuple(x[k * size + j] for j in range(size) for k in range(op.groups)))


# Repetitions


@flow.register
def _(op: Tile, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    (x,) = ins
    if op.axis:
        return Flow(ins, x)
    return Flow(ins, repeated(x, op.times) if op.each else x * op.times)


@flow.register
def _(op: Expand, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    if len(ins[0]) != node.out[0]:
        return needs_all(node, ins, tracker)
    return Flow(ins, ins[0])


@narrowed.register
def _(op: Expand, flow: Flow, kept: Counter) -> Op:
    if len(flow.ins[0]) != len(flow.out):
        return op
    return structs.replace(op, size=(kept(flow.out), *op.size[1:]))


# Channels spread over positions, and gathered from them


@flow.register
def _(op: Flatten, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    return Flow(ins, repeated(ins[0], prod(node.ins[0][1:])))


@flow.register
def _(op: Reshape, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    numbers = repeated(ins[0], prod(node.ins[0][1:]))
    return Flow(ins, joined(numbers, prod(op.size[1:]), tracker))


@narrowed.register
def _(op: Reshape, flow: Flow, kept: Counter) -> Op:
    return structs.replace(op, size=(kept(flow.out), *op.size[1:]))


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
