"""Layers whose weights have an axis of input channels, of output channels, or both."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import structs

from archscope.compress.channels import Axes, Channels, Flow, Tracker
from archscope.compress.operators.dispatch import (
    Counter,
    Ins,
    flow,
    narrowed,
    repeated,
    separates_positions,
)
from archscope.ir import Node, Op
from archscope.ops.conv import Conv, ConvTranspose
from archscope.ops.embedding import Embedding
from archscope.ops.facts import Weighted
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

separates_positions(Conv)


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
    return Flow(ins, out, _layer(op, out, out, ins[0]), filters={"weight": 0})


def _narrowed_out(op: Linear | LocallyConnected | Embedding, flow: Flow, kept: Counter) -> Op:
    return structs.replace(op, out=kept(flow.out))


narrowed.register(Linear, _narrowed_out)
narrowed.register(LocallyConnected, _narrowed_out)
narrowed.register(Embedding, _narrowed_out)


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
    return Flow(ins, out, _layer(op, out, out, inside), filters={"weight": 0})


@flow.register
def _(op: ConvTranspose, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    out, _, outside = _grouped(op, ins[0], tracker)
    axis = 0 if outside is None else 1
    return Flow(ins, out, _layer(op, out, ins[0], outside), filters={"weight": axis})


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
    read = repeated(ins[0], taps(op.window(*node.ins)))
    return Flow(ins, out, _layer(op, out, None, read, out), filters={"weight": 2})


@flow.register
def _(op: Embedding, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    tracker.fix(ins[0], f"'{node.name}' (embedding) looks up each of its inputs")
    out = tracker.new(op.out)
    return Flow(ins, out, {"weight": (None, out)}, filters={"weight": 1})


# Constant weights: sliced like learned ones, but their size does not tell what they are worth


def _constant(op: Conv | ConvTranspose | Linear, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    learned = flow.dispatch(type(op).__base__ or Op)(op, node, ins, tracker)
    return structs.replace(learned, filters={})


flow.register(FixedConv, _constant)
flow.register(FixedConvTranspose, _constant)
flow.register(FixedLinear, _constant)


# Weight norm: a filter is its direction times its length, by which it is also ranked


def _normed(op: WeightNormConv | WeightNormLinear, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    plain = flow.dispatch(type(op).__base__ or Op)(op, node, ins, tracker)
    held = {name: axes for name, axes in plain.weights.items() if name != "weight"}
    held |= {"weight_v": plain.weights["weight"], "weight_g": (plain.out,)}
    return structs.replace(plain, weights=held, filters={"weight_g": 0})


flow.register(WeightNormConv, _normed)
flow.register(WeightNormLinear, _normed)
