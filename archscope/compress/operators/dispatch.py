"""The functions that rules of operators extend, and what several rules share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import singledispatch

from msgspec import structs

from archscope.axes import Window
from archscope.compress.channels import Axes, Channels, Flow, Tracker
from archscope.ir import POINTWISE, Node, Op

Ins = tuple[Channels, ...]
AxesOfIns = tuple[Axes, ...]
Counter = Callable[[Channels], int]
"""Returns the number of channels that are kept."""


@singledispatch
def follow(op: Op, node: Node, ins: AxesOfIns, tracker: Tracker) -> Flow:
    """Return how a node passes on the slices along all axes of its inputs.

    It unites or fixes them in the tracker. Without a rule for all axes, `flow` has that for the
    channels, and others pass where the operator computes each of their slices separately.
    """
    found = flow(op, node, tuple(axes[0] or () for axes in ins), tracker)
    inner_ins = tuple(axes[1:] for axes in ins)
    apart = _apart(op, node) if any(map(any, inner_ins)) else frozenset()
    inner = tuple(
        meet(tracker, node, axis, [axes[axis] if axis < len(axes) else None for axes in ins])
        if axis in apart
        else None
        for axis in range(1, len(node.out))
    )
    for axes in ins:
        for axis, channels in enumerate(axes):
            if axis and axis not in apart:
                tracker.fix(channels, f"'{node.name}' ({op.label}) combines positions")
    return structs.replace(found, inner_ins=inner_ins, inner=inner)


def _apart(op: Op, node: Node) -> frozenset[int]:
    """Return the axes behind the channels whose slices an operator computes separately."""
    if flow.dispatch(type(op)) is flow.dispatch(Op):
        apart = op.valuewise and not node.facts.params + node.facts.buffers
        return frozenset(range(1, len(node.out))) if apart and not op.unknown else frozenset()
    if not isinstance(op, _each_position):
        return frozenset()
    windows = op.window(*node.ins)
    if windows == POINTWISE:
        return frozenset(range(1, len(node.out)))
    return frozenset(axis for axis, window in enumerate(windows or (), 1) if window == Window())


_each_position: tuple[type[Op], ...] = ()


def separates_positions(*kinds: type[Op]) -> None:
    """Register operators without weights or sizes for positions.

    Where their window is a single position, they compute each separately.
    """
    global _each_position
    _each_position += kinds


def meet(
    tracker: Tracker, node: Node, axis: int, along: Sequence[Channels | None]
) -> Channels | None:
    """Unite the slices along an axis of the inputs of a node that combines equal ones.

    Return those of its output; an axis of one slice is combined with all others, and stays.
    """
    size = node.out[axis]
    whole: list[Channels | None] = []
    for channels, x in zip(along, node.ins, strict=True):
        if x[axis] == size:
            whole.append(channels)
        else:
            tracker.fix(channels, f"'{node.name}' ({node.op.name}) combines all channels with it")
    if all(whole):
        for other in whole[1:]:
            tracker.unite(whole[0] or (), other or ())
        return next((c for c in whole if not tracker.followed(c)), whole[0])
    for channels in whole:
        tracker.fix(channels, f"'{node.name}' ({node.op.label}) combines positions")
    return None


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
