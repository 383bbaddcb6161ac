"""Operators along any axis: they move axes, merge and split them, select slices or combine them."""

from __future__ import annotations

from itertools import accumulate

from msgspec import structs

from archscope.compress.channels import Axes, Channels, Flow, Tracker, refined
from archscope.compress.operators.dispatch import (
    AxesOfIns,
    Counter,
    follow,
    meet,
    narrowed,
    repeated,
)
from archscope.ir import Node, Op, Shape
from archscope.ops.activation import Softmax
from archscope.ops.arithmetic import Pair
from archscope.ops.axis_functions import GLU, LogSoftmax, Normalize
from archscope.ops.cumulative import Cumulative
from archscope.ops.index_select import IndexSelect
from archscope.ops.layout import Permute, Select
from archscope.ops.learned import Learned
from archscope.ops.mask import Where
from archscope.ops.masked_fill import MaskedFill
from archscope.ops.merge import Add, Concat, Mul
from archscope.ops.parameter import Parameter
from archscope.ops.product import Einsum, MatMul
from archscope.ops.reduction import Reduce
from archscope.ops.repeat import Expand, Tile
from archscope.ops.reshape import Flatten, Reshape, Slice
from archscope.ops.shift import Flip, Roll
from archscope.ops.sort import Ordered
from archscope.ops.stack import Stack


def along_axes(
    node: Node, ins: AxesOfIns, out: Axes, tracker: Tracker, weights: Axes | None = None
) -> Flow:
    """Return a flow from the slices along all axes of inputs, output and a weight."""
    first = out[0]
    if first is None:
        first = tracker.whole(node.out[0], f"'{node.name}' ({node.op.label}) has positions there")
    return Flow(
        tuple(axes[0] or () for axes in ins),
        first,
        {} if weights is None else {"weight": weights},
        inner_ins=tuple(axes[1:] for axes in ins),
        inner=out[1:],
    )


def complete(axes: Axes, rank: int) -> list[Channels | None]:
    """Return the slices along all axes, None for those that are not followed."""
    return [*axes, *(None for _ in range(rank - len(axes)))]


def _all(ins: AxesOfIns, node: Node) -> list[list[Channels | None]]:
    return [complete(axes, len(x)) for axes, x in zip(ins, node.ins, strict=True)]


def _sizes(flow: Flow, whole: Shape, kept: Counter) -> Shape:
    """Return a shape of the output with the slices that are kept."""
    axes = complete(flow.axes, len(whole))
    return tuple(
        size if channels is None or size == 1 else kept(channels)
        for size, channels in zip(whole, axes, strict=True)
    )


# Several inputs, whose slices at the same place go together


@follow.register(Add)
@follow.register(Mul)
@follow.register(Pair)
@follow.register(Where)
@follow.register(MaskedFill)
def _(op: Op, node: Node, ins: AxesOfIns, tracker: Tracker) -> Flow:
    along = zip(*_all(ins, node), strict=True)
    out = (meet(tracker, node, axis, channels) for axis, channels in enumerate(along))
    return along_axes(node, ins, tuple(out), tracker)


@follow.register
def _(op: Concat, node: Node, ins: AxesOfIns, tracker: Tracker) -> Flow:
    out: list[Channels | None] = []
    for axis, along in enumerate(zip(*_all(ins, node), strict=True)):
        if axis != op.axis:
            out.append(meet(tracker, node, axis, along))
        elif all(along):
            out.append(tuple(atom for channels in along for atom in channels or ()))
        else:
            for channels in along:
                tracker.fix(channels, f"'{node.name}' (concat) puts them beside positions")
            out.append(None)
    return along_axes(node, ins, tuple(out), tracker)


@follow.register
def _(op: Stack, node: Node, ins: AxesOfIns, tracker: Tracker) -> Flow:
    sizes = node.out[: op.axis] + node.out[op.axis + 1 :]
    flat = structs.replace(node, out=sizes)
    along = zip(*_all(ins, node), strict=True)
    out = [meet(tracker, flat, axis, channels) for axis, channels in enumerate(along)]
    return along_axes(node, ins, (*out[: op.axis], None, *out[op.axis :]), tracker)


@follow.register
def _(op: MatMul, node: Node, ins: AxesOfIns, tracker: Tracker) -> Flow:
    a, b = _all(ins, node)
    rank = len(a)
    batch = tuple(
        meet(tracker, node, axis, pair)
        for axis, pair in enumerate(zip(a[: rank - 2], b[: rank - 2], strict=True))
    )
    summed(tracker, node, a[-1], b[-2])
    return along_axes(node, ins, (*batch, a[-2], b[-1]), tracker)


def summed(tracker: Tracker, node: Node, first: Channels | None, other: Channels | None) -> None:
    """Unite the slices whose products are added up."""
    if first is not None and other is not None:
        tracker.unite(first, other)
    else:
        tracker.fix(first or other, f"'{node.name}' ({node.op.name}) adds up positions")


@follow.register
def _(op: Einsum, node: Node, ins: AxesOfIns, tracker: Tracker) -> Flow:
    operands, _, result = op.equation.replace(" ", "").partition("->")
    along: dict[str, list[Channels | None]] = {}
    for letters, axes in zip(operands.split(","), _all(ins, node), strict=True):
        for letter, channels in zip(letters, axes, strict=True):
            along.setdefault(letter, []).append(channels)
    for first, *others in along.values():
        for other in others:
            summed(tracker, node, first, other)
    out = (along[letter][0] if all(along[letter]) else None for letter in result)
    return along_axes(node, ins, tuple(out), tracker)


# Other orders and shapes


@follow.register
def _(op: Permute, node: Node, ins: AxesOfIns, tracker: Tracker) -> Flow:
    (axes,) = _all(ins, node)
    return along_axes(node, ins, tuple(axes[axis] for axis in op.order), tracker)


@follow.register(Reshape)
@follow.register(Flatten)
def _(op: Op, node: Node, ins: AxesOfIns, tracker: Tracker) -> Flow:
    (axes,) = _all(ins, node)
    factors = [
        factor
        for size, channels in zip(node.ins[0], axes, strict=True)
        for factor in tracker.factors(size, channels)
    ]
    why = f"'{node.name}' ({op.name}) divides them otherwise"
    return along_axes(node, ins, tuple(refined(factors, node.out, tracker, why)), tracker)


@narrowed.register
def _(op: Reshape, flow: Flow, kept: Counter) -> Op:
    return structs.replace(op, size=_sizes(flow, op.size, kept))


@follow.register
def _(op: Flip, node: Node, ins: AxesOfIns, tracker: Tracker) -> Flow:
    (axes,) = _all(ins, node)
    out = (
        channels[::-1] if channels is not None and axis in op.axes else channels
        for axis, channels in enumerate(axes)
    )
    return along_axes(node, ins, tuple(out), tracker)


# Functions along an axis, and selections


@follow.register(Softmax)
@follow.register(LogSoftmax)
@follow.register(Cumulative)
@follow.register(Ordered)
def _(
    op: Softmax | LogSoftmax | Cumulative | Ordered, node: Node, ins: AxesOfIns, tracker: Tracker
) -> Flow:
    (axes,) = _all(ins, node)
    tracker.fix(axes[op.axis], f"'{node.name}' ({op.label}) needs all its channels")
    if node.out != node.ins[0]:  # the largest
        axes[op.axis] = None
    return along_axes(node, ins, tuple(axes), tracker)


@follow.register
def _(op: Normalize, node: Node, ins: AxesOfIns, tracker: Tracker) -> Flow:
    """Follow all axes: zeros do not change a norm."""
    return along_axes(node, ins, tuple(_all(ins, node)[0]), tracker)


@follow.register
def _(op: GLU, node: Node, ins: AxesOfIns, tracker: Tracker) -> Flow:
    (axes,) = _all(ins, node)
    whole = axes[op.axis]
    if whole is not None:
        half = len(whole) // 2
        tracker.tie_places(whole, half)
        axes[op.axis] = whole[:half]
    return along_axes(node, ins, tuple(axes), tracker)


@follow.register
def _(op: Roll, node: Node, ins: AxesOfIns, tracker: Tracker) -> Flow:
    (axes,) = _all(ins, node)
    for axis in op.axes:
        tracker.fix(axes[axis], f"'{node.name}' (roll) needs all its channels")
    return along_axes(node, ins, tuple(axes), tracker)


SUMS = ("sum", "l1", "l2")
"""Reductions that zeros do not change."""


@follow.register
def _(op: Reduce, node: Node, ins: AxesOfIns, tracker: Tracker) -> Flow:
    (axes,) = _all(ins, node)
    over = op.over(node.ins[0])
    for axis in over:
        if op.function not in SUMS:
            tracker.fix(axes[axis], f"'{node.name}' ({op.label}) needs all its channels")
    left = [None if axis in over else channels for axis, channels in enumerate(axes)]
    out = left if op.keep else [axes[axis] for axis in range(len(axes)) if axis not in over]
    return along_axes(node, ins, tuple(out), tracker)


@follow.register
def _(op: Select, node: Node, ins: AxesOfIns, tracker: Tracker) -> Flow:
    (axes,) = _all(ins, node)
    selected = axes.pop(op.axis)
    if selected is not None:
        tracker.fix((selected[op.index],), f"'{node.name}' (select) selects one")
    return along_axes(node, ins, tuple(axes), tracker)


def _along(flow: Flow, axis: int) -> Channels | None:
    """Return the slices of the first input along an axis, None if they are not followed."""
    if axis == 0:
        return flow.ins[0]
    return flow.inner_ins[0][axis - 1] if axis <= len(flow.inner_ins[0]) else None


@narrowed.register
def _(op: Select, flow: Flow, kept: Counter) -> Op:
    x = _along(flow, op.axis)
    return op if x is None else structs.replace(op, index=kept(x[: op.index]))


@follow.register
def _(op: Slice, node: Node, ins: AxesOfIns, tracker: Tracker) -> Flow:
    (axes,) = _all(ins, node)
    whole = axes[op.axis]
    axes[op.axis] = None if whole is None else whole[op.start : op.stop : op.step]
    return along_axes(node, ins, tuple(axes), tracker)


@narrowed.register
def _(op: Slice, flow: Flow, kept: Counter) -> Op:
    x = _along(flow, op.axis)
    if x is None or kept(x) == len(x):
        return op
    if op.step > 1:  # those that are left need not have equal distances
        return _selected(tuple(range(len(x))[op.start : op.stop : op.step]), op.axis, x, kept)
    start = kept(x[: op.start])
    return structs.replace(op, start=start, stop=start + kept(x[op.start : op.stop]))


def _selected(index: tuple[int, ...], axis: int, x: Channels, kept: Counter) -> IndexSelect:
    """Return the selection of the same slices of an input without some."""
    here = [kept((atom,)) for atom in x]
    places = [*accumulate(here, initial=0)]
    return IndexSelect(index=tuple(places[at] for at in index if here[at]), axis=axis)


@follow.register
def _(op: IndexSelect, node: Node, ins: AxesOfIns, tracker: Tracker) -> Flow:
    (axes,) = _all(ins, node)
    whole = axes[op.axis]
    axes[op.axis] = None if whole is None else tuple(whole[at] for at in op.index)
    return along_axes(node, ins, tuple(axes), tracker)


@narrowed.register
def _(op: IndexSelect, flow: Flow, kept: Counter) -> Op:
    x = _along(flow, op.axis)
    return op if x is None else _selected(op.index, op.axis, x, kept)


# Repetitions


@follow.register
def _(op: Tile, node: Node, ins: AxesOfIns, tracker: Tracker) -> Flow:
    (axes,) = _all(ins, node)
    x = axes[op.axis]
    if x is not None:
        axes[op.axis] = repeated(x, op.times) if op.each else x * op.times
    return along_axes(node, ins, tuple(axes), tracker)


@follow.register
def _(op: Expand, node: Node, ins: AxesOfIns, tracker: Tracker) -> Flow:
    """Follow all axes; repetitions are slices of their own, which all go or stay as any other."""
    (axes,) = _all(ins, node)
    sizes = zip(axes, node.ins[0], node.out, strict=True)
    out = (channels if x == size else tracker.new_axis(size) for channels, x, size in sizes)
    return along_axes(node, ins, tuple(out), tracker)


@narrowed.register
def _(op: Expand, flow: Flow, kept: Counter) -> Op:
    return structs.replace(op, size=_sizes(flow, op.size, kept))


# Learned tensors


@follow.register
def _(op: Learned, node: Node, ins: AxesOfIns, tracker: Tracker) -> Flow:
    (axes,) = _all(ins, node)
    out: list[Channels | None] = []
    weights: list[Channels | None] = []
    for channels, x, size in zip(axes, node.ins[0], op.size, strict=True):
        if size > x:  # the input is repeated
            channels = tracker.new_axis(size)
        out.append(channels)
        weights.append(None if size == 1 else channels)
    return along_axes(node, ins, tuple(out), tracker, tuple(weights))


@follow.register
def _(op: Parameter, node: Node, ins: AxesOfIns, tracker: Tracker) -> Flow:
    axes = tuple(tracker.new_axis(size) for size in op.size)
    return along_axes(node, ins, axes, tracker, axes)


@narrowed.register(Learned)
@narrowed.register(Parameter)
def _(op: Learned | Parameter, flow: Flow, kept: Counter) -> Op:
    return structs.replace(op, size=_sizes(flow, op.size, kept))
