"""The effect of operators on channels: `flow` follows them, `narrowed` removes some.

Both dispatch on the class of the operator. The rule of an operator holds if, for any channels that
the tracker unites, the narrowed operator computes on the rest the same as the operator with the
removed channels set to zero. `tests/compress/test_operators.py` tries it on every example
of every operator. An operator without a rule keeps all its channels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import singledispatch
from math import prod

from msgspec import structs

from archscope.compress.channels import Axes, Channels, Flow, Tracker
from archscope.ir import Node, Op
from archscope.ops.activation import PReLU
from archscope.ops.adaptive_pool import AdaptivePool, GlobalPool
from archscope.ops.arithmetic import Maximum, Minimum, Sub
from archscope.ops.conv import Conv, ConvTranspose
from archscope.ops.facts import Weighted
from archscope.ops.fake_quantize import FakeQuantize
from archscope.ops.geometry import taps
from archscope.ops.held_weights import (
    FixedConv,
    FixedConvTranspose,
    FixedLinear,
    WeightNormConv,
    WeightNormLinear,
)
from archscope.ops.input import Input
from archscope.ops.linear import Linear
from archscope.ops.locally_connected import LocallyConnected
from archscope.ops.merge import Add, Concat, Distance, Mul
from archscope.ops.norm import BatchNorm, GroupNorm, LayerNorm
from archscope.ops.pad import Pad
from archscope.ops.pool import Pool
from archscope.ops.rearrange import ChannelShuffle, PixelShuffle, SpaceToDepth
from archscope.ops.reduce import Maxout
from archscope.ops.reshape import Flatten, Reshape, Slice
from archscope.ops.resize import Upsample
from archscope.ops.scale import Scale
from archscope.ops.top_k import TopK

Ins = tuple[Channels, ...]
Counter = Callable[[Channels], int]
"""Returns the number of channels that are kept."""


@singledispatch
def flow(op: Op, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    """Return how a node passes on the channels of its inputs; unites or fixes them in the tracker.

    Element-wise operators pass them on; other operators without a rule fix them.
    """
    if op.valuewise and not op.unknown and not node.facts.params + node.facts.buffers:
        return Flow(ins, ins[0])
    return fixed_flow(node, ins, tracker, f"'{node.name}' ({op.label}) needs all its channels")


def fixed_flow(node: Node, ins: Ins, tracker: Tracker, why: str) -> Flow:
    """Return the flow of a node that keeps all its channels."""
    out = tracker.new(node.out[0] if node.out else 1)
    for channels in (*ins, out):
        tracker.fix(channels, why)
    return Flow(ins, out)


@singledispatch
def narrowed(op: Op, flow: Flow, kept: Counter) -> Op:
    """Return the operator for the channels that are kept, counted by `kept`."""
    return op


def share(flow: Flow, owner: Flow, tracker: Tracker) -> None:
    """Unite the channels along an axis of weights that two nodes share."""
    for name, axes in flow.weights.items():
        for mine, others in zip(axes, owner.weights.get(name, ()), strict=False):
            if mine is None or others is None or len(mine) != len(others):
                tracker.fix(
                    (*(mine or ()), *(others or ())), "weights are shared along different axes"
                )
            else:
                tracker.unite(mine, others)


# Layers with weights


@flow.register
def _(op: Input, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    out = tracker.new(node.out[0])
    tracker.fix(out, f"input '{node.name}'")
    return Flow(ins, out)


def _layer(op: Weighted, out: Channels, *axes: Channels | None) -> Mapping[str, Axes]:
    """Return the weights of a layer, whose bias has a value per output channel."""
    return {"weight": axes, "bias": (out,)} if op.bias else {"weight": axes}


@flow.register
def _(op: Linear, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    out = tracker.new(op.out)
    return Flow(ins, out, _layer(op, out, out, ins[0]), filters=0)


@narrowed.register
def _(op: Linear, flow: Flow, kept: Counter) -> Op:
    return structs.replace(op, out=kept(flow.out))


def _goes_by_whole_groups(channels: int, groups: int) -> bool:
    """Return whether a grouped convolution loses whole groups rather than a part of each.

    Both are possible; this is the finer. A depthwise convolution has groups of one channel.
    """
    return groups >= channels // groups


def _grouped(
    op: Conv | ConvTranspose, x: Channels, tracker: Tracker
) -> tuple[Channels, Channels | None, Channels | None]:
    """Return the output channels, and the inputs and outputs of one group.

    These are None if whole groups are removed, whose weights are along the other axis.
    """
    out = tracker.new(op.out)
    if op.groups == 1:
        return out, x, out
    inside, outside = len(x) // op.groups, op.out // op.groups
    if _goes_by_whole_groups(len(x), op.groups):
        tracker.tie_parts(x, inside)
        tracker.tie_parts(out, outside)
        tracker.unite(x[::inside], out[::outside])
        return out, None, None
    tracker.tie_places(x, inside)
    tracker.tie_places(out, outside)
    return out, x[:inside], out[:outside]


@flow.register
def _(op: Conv, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    out, inside, _ = _grouped(op, ins[0], tracker)
    return Flow(ins, out, _layer(op, out, out, inside), filters=0)


@flow.register
def _(op: ConvTranspose, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    out, _, outside = _grouped(op, ins[0], tracker)
    axis = 0 if outside is None else 1
    return Flow(ins, out, _layer(op, out, ins[0], outside), filters=axis)


def _narrowed_groups(op: Conv | ConvTranspose, flow: Flow, kept: Counter) -> Op:
    out, groups = kept(flow.out), op.groups
    if groups > 1 and _goes_by_whole_groups(len(flow.ins[0]), groups):
        groups = out // (op.out // groups)
    return structs.replace(op, out=out, groups=groups)


narrowed.register(Conv, _narrowed_groups)
narrowed.register(ConvTranspose, _narrowed_groups)


@flow.register
def _(op: LocallyConnected, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    out = tracker.new(op.out)
    read = _repeated(ins[0], taps(op.window(*node.ins)))
    return Flow(ins, out, _layer(op, out, None, read, out), filters=2)


@narrowed.register
def _(op: LocallyConnected, flow: Flow, kept: Counter) -> Op:
    return structs.replace(op, out=kept(flow.out))


def _held_otherwise(op: Op, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    return fixed_flow(node, ins, tracker, f"the weights of '{node.name}' ({op.name}) stay whole")


flow.register(WeightNormConv, _held_otherwise)
flow.register(WeightNormLinear, _held_otherwise)
flow.register(FixedConv, _held_otherwise)
flow.register(FixedConvTranspose, _held_otherwise)
flow.register(FixedLinear, _held_otherwise)


# Channel by channel


def _by_channel(op: Op, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    return Flow(ins, ins[0])


for _kind in (Pool, AdaptivePool, GlobalPool, Upsample, FakeQuantize):
    flow.register(_kind, _by_channel)


@flow.register
def _(op: Pad, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    if any(op.channels) or op.value:
        return fixed_flow(node, ins, tracker, f"'{node.name}' (pad) pads along the channels")
    return Flow(ins, ins[0])


def _each(channels: Channels, *names: str) -> Mapping[str, Axes]:
    """Return weights with a value per channel."""
    return dict.fromkeys(names, (channels,))


@flow.register
def _(op: BatchNorm, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    return Flow(ins, ins[0], _each(ins[0], "weight", "bias", "running_mean", "running_var"))


@flow.register
def _(op: Scale, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    return Flow(ins, ins[0], _each(ins[0], "weight", "bias"))


@flow.register
def _(op: PReLU, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    alike = op.slopes == 1 < len(ins[0])
    return Flow(ins, ins[0], {} if alike else _each(ins[0], "weight"))


@narrowed.register
def _(op: PReLU, flow: Flow, kept: Counter) -> Op:
    return structs.replace(op, slopes=kept(flow.out)) if flow.weights else op


@flow.register
def _(op: TopK, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    if op.along == "positions":
        return Flow(ins, ins[0])
    return fixed_flow(node, ins, tracker, f"'{node.name}' (top_k) selects among all its channels")


# Statistics over channels: channels normalised together go together


@flow.register
def _(op: GroupNorm, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    tracker.tie_parts(ins[0], len(ins[0]) // op.groups)
    return Flow(ins, ins[0], _each(ins[0], "weight", "bias"))


@narrowed.register
def _(op: GroupNorm, flow: Flow, kept: Counter) -> Op:
    size = len(flow.out) // op.groups
    return structs.replace(op, groups=kept(flow.out) // size)


@flow.register
def _(op: LayerNorm, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    why = f"'{node.name}' (layernorm) normalises all its channels together"
    tracker.fix(ins[0], why)
    return Flow(ins, ins[0], _each(ins[0], "weight", "bias"))


# Merges


def _position_by_position(op: Op, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    whole = [channels for channels in ins if len(channels) == node.out[0]]
    for other in whole[1:]:
        tracker.unite(whole[0], other)
    for gate in ins:
        if len(gate) < node.out[0]:
            tracker.fix(gate, f"'{node.name}' ({op.name}) combines all channels with it")
    return Flow(ins, whole[0])


flow.register(Add, _position_by_position)
flow.register(Mul, _position_by_position)
flow.register(Sub, _position_by_position)
flow.register(Maximum, _position_by_position)
flow.register(Minimum, _position_by_position)


@flow.register
def _(op: Concat, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    if op.axis:
        return _position_by_position(op, node, ins, tracker)
    return Flow(ins, tuple(atom for channels in ins for atom in channels))


@flow.register
def _(op: Distance, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    tracker.unite(*ins)
    out = tracker.new(1)
    tracker.fix(out, f"'{node.name}' (distance) is one number")
    return Flow(ins, out)


# Rearrangements


def _repeated(channels: Channels, count: int) -> Channels:
    """Return channels with each repeated `count` times."""
    if count == 1:
        return channels
    return tuple(atom for atom in channels for _ in range(count))


def _joined(channels: Channels, size: int, tracker: Tracker) -> Channels:
    """Unite each run of `size` neighbours, and return a channel for each."""
    tracker.tie_parts(channels, size)
    return channels[::size]


@flow.register
def _(op: Slice, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    if op.axis:
        return Flow(ins, ins[0])
    if op.step > 1:
        return fixed_flow(node, ins, tracker, f"'{node.name}' (slice) takes channels with a step")
    return Flow(ins, ins[0][op.start : op.stop])


@narrowed.register
def _(op: Slice, flow: Flow, kept: Counter) -> Op:
    if op.axis or op.step > 1:
        return op
    start = kept(flow.ins[0][: op.start])
    return structs.replace(op, start=start, stop=start + kept(flow.out))


@flow.register
def _(op: ChannelShuffle, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    (x,) = ins
    size = len(x) // op.groups
    tracker.tie_places(x, size)
    return Flow(ins, tuple(x[k * size + j] for j in range(size) for k in range(op.groups)))


@flow.register
def _(op: Flatten, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    return Flow(ins, _repeated(ins[0], prod(node.ins[0][1:])))


@flow.register
def _(op: Reshape, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    numbers = _repeated(ins[0], prod(node.ins[0][1:]))
    return Flow(ins, _joined(numbers, prod(op.size[1:]), tracker))


@narrowed.register
def _(op: Reshape, flow: Flow, kept: Counter) -> Op:
    return structs.replace(op, size=(kept(flow.out), *op.size[1:]))


@flow.register
def _(op: SpaceToDepth, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    if op.order != "channel":
        return Flow(ins, ins[0] * op.block**2)
    return Flow(ins, _repeated(ins[0], op.block**2))


@flow.register
def _(op: PixelShuffle, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    return Flow(ins, _joined(ins[0], op.block**2, tracker))


@flow.register
def _(op: Maxout, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    return Flow(ins, _joined(ins[0], op.pieces, tracker))
