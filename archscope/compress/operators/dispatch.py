"""The functions that rules of operators extend, and what several rules share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import singledispatch

from archscope.compress.channels import Axes, Channels, Flow, Tracker
from archscope.ir import Node, Op

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
    return needs_all(node, ins, tracker)


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


def fixed_flow(node: Node, ins: Ins, tracker: Tracker, why: str) -> Flow:
    """Return the flow of a node that keeps all its channels."""
    out = tracker.new(node.out[0] if node.out else 1)
    for channels in (*ins, out):
        tracker.fix(channels, why)
    return Flow(ins, out)


def needs_all(node: Node, ins: Ins, tracker: Tracker) -> Flow:
    """Return the flow of a node whose every result depends on several channels."""
    return fixed_flow(node, ins, tracker, f"'{node.name}' ({node.op.label}) needs all its channels")


def by_channel(op: Op, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    """Return the flow of a node that computes each channel from the same channel of its input."""
    return Flow(ins, ins[0])


def position_by_position(op: Op, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    """Return the flow of a node that combines equal channels of its inputs.

    An input of a single channel is combined with all of the others, and stays.
    """
    whole = [channels for channels in ins if len(channels) == node.out[0]]
    for other in whole[1:]:
        tracker.unite(whole[0], other)
    for gate in ins:
        if len(gate) < node.out[0]:
            tracker.fix(gate, f"'{node.name}' ({op.name}) combines all channels with it")
    return Flow(ins, whole[0])


def each(channels: Channels, *names: str) -> Mapping[str, Axes]:
    """Return weights with a value per channel."""
    return dict.fromkeys(names, (channels,))


def repeated(channels: Channels, count: int) -> Channels:
    """Return channels with each repeated `count` times."""
    if count == 1:
        return channels
    return tuple(atom for atom in channels for _ in range(count))


def joined(channels: Channels, size: int, tracker: Tracker) -> Channels:
    """Unite each run of `size` neighbours, and return a channel for each."""
    tracker.tie_parts(channels, size)
    return channels[::size]
