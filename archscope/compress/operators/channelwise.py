"""Operators that compute each channel from the same channel, with or without weights for each."""

from __future__ import annotations

from msgspec import structs

from archscope.compress.channels import Flow, Tracker
from archscope.compress.operators.dispatch import (
    Counter,
    Ins,
    by_channel,
    each,
    fixed_flow,
    flow,
    joined,
    narrowed,
    needs_all,
    separates_positions,
)
from archscope.ir import Node, Op
from archscope.ops.activation import PReLU
from archscope.ops.adaptive_pool import AdaptivePool, GlobalPool
from archscope.ops.axis_functions import AlongAxis
from archscope.ops.fake_quantize import FakeQuantize
from archscope.ops.frozen_norm import FrozenBatchNorm
from archscope.ops.norm import BatchNorm, GroupNorm, LayerNorm
from archscope.ops.pool import Pool
from archscope.ops.reduce import Maxout
from archscope.ops.resize import Upsample
from archscope.ops.rms_norm import RMSNorm
from archscope.ops.scale import Scale
from archscope.ops.tokens import ClassToken, PositionEmbedding
from archscope.ops.top_k import TopK

for _kind in (Pool, AdaptivePool, GlobalPool, Upsample, FakeQuantize):
    flow.register(_kind, by_channel)

separates_positions(BatchNorm, FrozenBatchNorm, LayerNorm, RMSNorm, PReLU, Scale)
separates_positions(Pool, FakeQuantize, Maxout)


# Weights with a value, or several, for each channel


def _normalised(op: Op, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    return Flow(ins, ins[0], each(ins[0], "weight", "bias", "running_mean", "running_var"))


flow.register(BatchNorm, _normalised)
flow.register(FrozenBatchNorm, _normalised)


@flow.register
def _(op: Scale, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    return Flow(ins, ins[0], each(ins[0], "weight", "bias"))


@flow.register
def _(op: PReLU, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    alike = op.slopes == 1 < len(ins[0])
    return Flow(ins, ins[0], {} if alike else each(ins[0], "weight"))


@narrowed.register
def _(op: PReLU, flow: Flow, kept: Counter) -> Op:
    return structs.replace(op, slopes=kept(flow.out)) if flow.weights else op


def _learned_last(op: Op, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    """Return the flow of an operator whose weights are (1, positions..., channels)."""
    return Flow(ins, ins[0], {"weight": (*(None for _ in node.ins[0]), ins[0])})


flow.register(ClassToken, _learned_last)
flow.register(PositionEmbedding, _learned_last)


# Statistics over channels: channels normalised together go together


@flow.register
def _(op: GroupNorm, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    tracker.tie_parts(ins[0], len(ins[0]) // op.groups)
    return Flow(ins, ins[0], each(ins[0], "weight", "bias"))


@narrowed.register
def _(op: GroupNorm, flow: Flow, kept: Counter) -> Op:
    size = len(flow.out) // op.groups
    return structs.replace(op, groups=kept(flow.out) // size)


@flow.register(LayerNorm)
@flow.register(RMSNorm)
def _(op: Op, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    tracker.fix(ins[0], f"'{node.name}' ({op.name}) normalises all its channels together")
    return Flow(ins, ins[0], each(ins[0], "weight", "bias"))


@flow.register
def _(op: AlongAxis, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    if op.axis == 0 or any(len(channels) != node.out[0] for channels in ins):
        return needs_all(node, ins, tracker)
    for other in ins[1:]:
        tracker.unite(ins[0], other)
    return Flow(ins, ins[0])


@flow.register
def _(op: Maxout, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    return Flow(ins, joined(ins[0], op.pieces, tracker))


@flow.register
def _(op: TopK, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    if op.along == "positions":
        return Flow(ins, ins[0])
    return fixed_flow(node, ins, tracker, f"'{node.name}' (top_k) selects among all its channels")
